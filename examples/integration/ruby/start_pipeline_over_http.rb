# frozen_string_literal: true

# Start a published pipeline through the HTTP API.
#
# Usage: start_pipeline_over_http.rb PIPELINE_ID
#
# Prints the answer: 202 with the execution's ARN; 404 unknown; 409 not ready to be started. Exit code 0: 202, 1: else.
# Environment: API_URL, and what aws.rb reads.

require_relative "aws"

pipeline_id = Aws::Sigv4::Signer.uri_escape(ARGV.fetch(0))
url = "#{ENV.fetch("API_URL").chomp("/")}/pipelines/#{pipeline_id}/executions"
answer = Aws::Requests.post("execute-api", url, "", read_timeout: 35)
puts answer.body
exit(answer.code == "202" ? 0 : 1)

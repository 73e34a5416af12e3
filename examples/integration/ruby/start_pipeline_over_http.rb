# frozen_string_literal: true

# Start a published pipeline through the HTTP API.
#
# Usage: start_pipeline_over_http.rb PIPELINE_ID
#
# Prints the answer. 202: it runs; 200: it is complete already; 404: unknown; 409: it can't be started now, with the
# reason; 503: try again. Exit code 0 for the first two, 1 for the others.
# Environment: API_URL, and what aws.rb reads.

require_relative "aws"

pipeline_id = Aws::Sigv4::Signer.uri_escape(ARGV.fetch(0))
url = "#{ENV.fetch("API_URL").chomp("/")}/pipelines/#{pipeline_id}/executions"
answer = Aws::Requests.post("execute-api", url, "", read_timeout: 35)
puts answer.body
exit(%w[200 202].include?(answer.code) ? 0 : 1)

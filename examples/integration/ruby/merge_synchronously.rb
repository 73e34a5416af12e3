# frozen_string_literal: true

# Join videos and wait for the answer.
#
# Usage: merge_synchronously.rb BUCKET KEY s3://… [s3://…]
#
# Prints the merger's answer. Exit code 0: joined; 1: the request is wrong, the same one fails again; 2: try later.
# Environment: MERGER_FUNCTION, and what aws.rb reads.

require_relative "aws"

# Seconds. A merge may take 15 minutes. The SDK gives up after one minute by default, and then *invokes again*.
READ_TIMEOUT = 960

# The merger's answer. What ends a function from outside (time, memory) looks like a 500 of the merger.
def merge(input_videos, bucket, key)
  url = "#{Aws::Requests.endpoint(:lambda)}/2015-03-31/functions/#{ENV.fetch("MERGER_FUNCTION")}/invocations"
  event = { input_videos: input_videos, output_bucket: bucket, output_key: key }
  response = Aws::Requests.post("lambda", url, JSON.generate(event), read_timeout: READ_TIMEOUT)
  raise Aws::Requests::Refused, response.body unless response.is_a?(Net::HTTPSuccess)

  answer = JSON.parse(response.body)
  return answer unless response["X-Amz-Function-Error"]

  { "error" => answer["errorMessage"], "error_type" => answer["errorType"], "statusCode" => 500 }
end

bucket, key, *input_videos = ARGV
answer = merge(input_videos, bucket, key)
puts JSON.pretty_generate(answer)
exit({ 200 => 0, 400 => 1 }.fetch(answer["statusCode"], 2))

# frozen_string_literal: true

# Join videos and wait for the answer, with the gem `aws-sdk-lambda`. Copy this file.
require "aws-sdk-lambda"
require "json"

# The merger, called by a client that waits long enough and invokes once.
module PatientLambda
  OPTIONS = {
    http_read_timeout: 960, # seconds; a merge may take 15 minutes, and the SDK gives up after one
    retry_limit: 0, # no second invocation in the retry mode `legacy`, the default,
    max_attempts: 1 # and none in the modes `standard` and `adaptive`, which don't read `retry_limit`
  }.freeze

  def self.client
    @client ||= Aws::Lambda::Client.new(**OPTIONS)
  end

  # The merger's answer. What ends a function from outside (time, memory) looks like a 500 of the merger.
  def self.merge(input_videos, bucket, key)
    event = { input_videos: input_videos, output_bucket: bucket, output_key: key }
    response = client.invoke(function_name: ENV.fetch("MERGER_FUNCTION"), payload: JSON.generate(event))
    answer = JSON.parse(response.payload.string)
    return answer unless response.function_error

    { "error" => answer["errorMessage"], "error_type" => answer["errorType"], "statusCode" => 500 }
  end
end

# frozen_string_literal: true

# Join videos without waiting: the merger calls back, signed, when it is done.
#
# Usage: merge_with_callback.rb BUCKET KEY s3://… [s3://…]
#
# Runs a receiver of callbacks, hands the work over and ends when its result has come. In an application the two halves
# are apart: a controller receives, a job hands over. Prints the callback; exit code 0: joined, 1: not.
# Environment: MERGER_FUNCTION, CALLBACK_SECRET (the name of the secret), CALLBACK_URL (where the receiver is seen from
# outside; its host must be on the merger's allow-list; not needed with the local cloud), optionally CALLBACK_PORT, and
# what aws.rb reads.

require "securerandom"
require "set"
require "timeout"
require "webrick"
require_relative "aws"
require_relative "callback_signature"

# Seconds: the merger's own limit and some time for the callback. After that, look at the merger's log.
LONGEST_MERGE = 16 * 60

# Answers 204 to a callback with a good signature and 401 to anything else. Each callback arrives once.
class Receiver
  attr_reader :port

  def initialize(port, secret)
    @arrived = Queue.new
    @seen = Set.new
    quiet = { AccessLog: [], Logger: WEBrick::Log.new(nil, 0) }
    @server = WEBrick::HTTPServer.new(BindAddress: "127.0.0.1", Port: port, **quiet)
    @port = @server.listeners.first.addr[1]
    @server.mount_proc("/callbacks/videos") do |request, response|
      genuine = CallbackSignature.genuine?(request.body.to_s, request[CallbackSignature::HEADER], secret)
      take(JSON.parse(request.body)) if genuine
      response.status = genuine ? 204 : 401
    end
    Thread.new { @server.start }
  end

  def next_callback
    Timeout.timeout(LONGEST_MERGE) { @arrived.pop }
  end

  def close
    @server.shutdown
  end

  private

  # A callback may come more than once. An application keeps `process_uuid` under a unique index instead.
  def take(callback)
    @arrived << callback if @seen.add?(callback["process_uuid"])
  end
end

# Queue the merge. `process_uuid` is ours: it comes back in the callback and tells which work it belongs to.
def hand_over(input_videos, bucket, key, callback_url, process_uuid)
  url = "#{Aws::Requests.endpoint(:lambda)}/2015-03-31/functions/#{ENV.fetch("MERGER_FUNCTION")}/invocations"
  event = { input_videos: input_videos, output_bucket: bucket, output_key: key,
            callback_url: callback_url, process_uuid: process_uuid }
  response = Aws::Requests.post("lambda", url, JSON.generate(event), { "X-Amz-Invocation-Type" => "Event" })
  raise Aws::Requests::Refused, response.body unless response.is_a?(Net::HTTPAccepted)
end

# Where the receiver is called. The local cloud reaches this machine, AWS does not.
def callback_url(port)
  ENV.fetch("CALLBACK_URL") do
    local = ENV.fetch("AWS_ENDPOINT_URL", "").start_with?("http://127.0.0.1:")
    abort("CALLBACK_URL is not set: AWS can't call this machine back, so say where it is seen from outside.") unless local
    "http://127.0.0.1:#{port}/callbacks/videos"
  end
end

bucket, key, *input_videos = ARGV
port = ENV.fetch("CALLBACK_PORT", "0").to_i
callback_url(port) # before anything is asked of AWS
asked = { SecretId: ENV.fetch("CALLBACK_SECRET") }
secret = Aws::Requests.call(:secrets, "secretsmanager.GetSecretValue", asked, version: "1.1").fetch("SecretString")
receiver = Receiver.new(port, secret)
hand_over(input_videos, bucket, key, callback_url(receiver.port), SecureRandom.uuid)
callback = receiver.next_callback
receiver.close
puts JSON.pretty_generate(callback)
exit(callback.key?("result") ? 0 : 1)

# frozen_string_literal: true

# Receive what happens: events of nodes and pipelines, from a queue that an EventBridge rule feeds.
#
# Usage: receive_events.rb [NUMBER]
#
# Prints one line of JSON per event, and ends after NUMBER of them (without it, never).
# Environment: EVENTS_QUEUE_URL, and what aws.rb reads.

require "set"
require_relative "aws"

$stdout.sync = true
queue = { QueueUrl: ENV.fetch("EVENTS_QUEUE_URL") }
wanted = ARGV.first&.to_i
seen = Set.new # an event may come twice; an application keeps `detail.id` under a unique index instead

until wanted && seen.size >= wanted
  question = { MaxNumberOfMessages: 10, WaitTimeSeconds: 20 }.merge(queue)
  messages = Aws::Requests.call(:sqs, "AmazonSQS.ReceiveMessage", question)["Messages"] || []
  messages.each do |message|
    event = JSON.parse(message.fetch("Body"))
    detail = event.fetch("detail")
    puts JSON.generate({ type: event.fetch("detail-type") }.merge(detail)) if seen.add?(detail.fetch("id"))
    # Only now, when the event was worked on: what a crash interrupts comes again.
    Aws::Requests.call(:sqs, "AmazonSQS.DeleteMessage", { ReceiptHandle: message.fetch("ReceiptHandle") }.merge(queue))
  end
end

# frozen_string_literal: true

# Publish a pipeline document and have its video made, from a job of an application.
#
# Usage: publish_pipeline.rb DOCUMENT
#
# Ends as soon as AWS works on it, which takes seconds; the end comes as an event. Prints how it stands as JSON. Exit
# code 0: it runs, or everything was made before; 1: the document is wrong; 2: something else, try again.
# Environment: JIKI_VIDEO (the command line, jiki-video in a checkout), JIKI_ENVIRONMENT, and what boto3 reads.

require "json"
require "open3"

# What the command line says of a document: {"event" => "started", …} or {"event" => "finished", …}.
def publish(document)
  command = [ENV.fetch("JIKI_VIDEO"), "produce", document, "--environment", ENV.fetch("JIKI_ENVIRONMENT"),
             "--yes", "--json", "--no-download"]
  Open3.popen2(*command) do |input, output, process|
    input.close
    events = output.each_line.lazy.map { |line| JSON.parse(line) }
    told = events.find { |event| %w[started finished].include?(event["event"]) }
    # What was started goes on without anybody watching. Without this the job would last as long as the run.
    Process.kill("TERM", process.pid) if told && told["event"] == "started"
    output.read
    told || { "event" => "finished", "status" => "error", "error" => "exit code #{process.value.exitstatus}" }
  end
end

told = publish(ARGV.fetch(0))
puts JSON.pretty_generate(told)
exit(0) if told["event"] == "started"
exit({ "completed" => 0, "invalid" => 1 }.fetch(told["status"], 2))

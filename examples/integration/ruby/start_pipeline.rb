# frozen_string_literal: true

# Start a published pipeline through Step Functions.
#
# Usage: start_pipeline.rb PIPELINE_ID
#
# Prints the execution's ARN. Starting the same run twice starts it once, because the execution's name says which run.
# Environment: PIPELINE_MACHINE_ARN, NODES_TABLE, and what aws.rb reads.

require_relative "aws"

def current_run(pipeline_id)
  answer = Aws::Requests.call(:dynamodb, "DynamoDB_20120810.GetItem", {
    TableName: ENV.fetch("NODES_TABLE"),
    Key: { pipeline_id: { S: pipeline_id }, id: { S: "#pipeline" } },
    ConsistentRead: true,
    ProjectionExpression: "#run",
    ExpressionAttributeNames: { "#run" => "run" }
  })
  answer.dig("Item", "run", "N") or abort("There is no pipeline '#{pipeline_id}'.")
end

# The ARN of the execution that makes the pipeline's current run, started now or before.
def start(pipeline_id)
  machine = ENV.fetch("PIPELINE_MACHINE_ARN")
  name = "#{pipeline_id[0, 64]}-#{current_run(pipeline_id)}"
  parameters = { stateMachineArn: machine, name: name, input: JSON.generate({ pipeline_id: pipeline_id }) }
  Aws::Requests.call(:states, "AWSStepFunctions.StartExecution", parameters).fetch("executionArn")
rescue Aws::Requests::Refused => error
  raise unless error.message.start_with?("ExecutionAlreadyExists") # it is over; `retry` or an edit asks for a new run

  "#{machine.sub(":stateMachine:", ":execution:")}:#{name}"
end

puts start(ARGV.fetch(0))

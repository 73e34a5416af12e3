# frozen_string_literal: true

# Say how far a pipeline is, and where its finished video can be fetched.
#
# Usage: read_pipeline.rb PIPELINE_ID
#
# Prints a JSON object: the outcome (null while it runs), each node's status, a URL of the video that holds for an hour.
# Environment: NODES_TABLE, and what aws.rb reads.

require_relative "aws"

ONE_HOUR = 3600

# The items of one pipeline, by id.
def items(pipeline_id)
  query = {
    TableName: ENV.fetch("NODES_TABLE"),
    KeyConditionExpression: "pipeline_id = :id",
    ExpressionAttributeValues: { ":id" => { S: pipeline_id } },
    ConsistentRead: true
  }
  found = {}
  loop do
    page = Aws::Requests.call(:dynamodb, "DynamoDB_20120810.Query", query)
    page.fetch("Items").each { |item| found[item.dig("id", "S")] = item }
    return found unless page["LastEvaluatedKey"]

    query[:ExclusiveStartKey] = page["LastEvaluatedKey"]
  end
end

def url(node)
  output = node.dig("output", "M")
  return nil unless node.dig("status", "S") == "completed" && output

  Aws::Requests.presigned_url(output.dig("bucket", "S"), output.dig("s3_key", "S"), ONE_HOUR)
end

pipeline_id = ARGV.fetch(0)
nodes = items(pipeline_id)
pipeline = nodes.delete("#pipeline")
abort("There is no pipeline '#{pipeline_id}'.") unless pipeline&.key?("final_node")

ids = pipeline.dig("node_ids", "L").map { |id| id["S"] }
puts JSON.pretty_generate(
  title: pipeline.dig("title", "S"),
  outcome: pipeline.dig("outcome", "M", "status", "S"),
  nodes: ids.to_h { |id| [id, nodes.fetch(id).dig("status", "S")] },
  video: url(nodes.fetch(pipeline.dig("final_node", "S")))
)

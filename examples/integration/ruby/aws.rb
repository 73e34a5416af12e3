# frozen_string_literal: true

require "aws-sdk-core"
require "aws-sigv4"
require "json"
require "net/http"

# Signed requests to AWS with nothing but `aws-sdk-core` and `aws-sigv4`. An application that has the gems of the
# services (`aws-sdk-lambda`, `aws-sdk-states`, …) calls those instead; docs/integration.md says with which options.
#
# Reads AWS_REGION, AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_{SERVICE}; credentials come from where the SDK finds them.
module Aws
  module Requests
    class Refused < StandardError; end

    # Host, name for signing and name in AWS_ENDPOINT_URL_… of each service.
    SERVICES = {
      lambda: %w[lambda lambda LAMBDA],
      states: %w[states states SFN],
      dynamodb: %w[dynamodb dynamodb DYNAMODB],
      sqs: %w[sqs sqs SQS],
      secrets: %w[secretsmanager secretsmanager SECRETS_MANAGER],
      s3: %w[s3 s3 S3]
    }.freeze

    module_function

    def region
      ENV["AWS_REGION"] || ENV.fetch("AWS_DEFAULT_REGION")
    end

    # Where a service listens.
    def endpoint(service)
      host, _, variable = SERVICES.fetch(service)
      ENV["AWS_ENDPOINT_URL_#{variable}"] || ENV["AWS_ENDPOINT_URL"] || "https://#{host}.#{region}.amazonaws.com"
    end

    # A call of a service whose operations are named in the header X-Amz-Target. Raises Refused.
    def call(service, target, parameters, version: "1.0")
      headers = { "X-Amz-Target" => target, "Content-Type" => "application/x-amz-json-#{version}" }
      answer = post(SERVICES.fetch(service)[1], "#{endpoint(service)}/", JSON.generate(parameters), headers)
      body = JSON.parse(answer.body)
      return body if answer.is_a?(Net::HTTPSuccess)

      raise Refused, "#{body["__type"].to_s.split("#").last}: #{body["message"] || body["Message"]}"
    end

    # One POST, signed. It is sent once: Net::HTTP repeats no POST, and nothing here does.
    def post(signing_name, url, body, headers = {}, read_timeout: 60)
      headers = { "Content-Type" => "application/json" }.merge(headers)
      signature = signer(signing_name).sign_request(http_method: "POST", url: url, headers: headers, body: body)
      uri = URI(url)
      request = Net::HTTP::Post.new(uri, headers.merge(signature.headers))
      request.body = body
      Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == "https", read_timeout: read_timeout) do |http|
        http.request(request)
      end
    end

    # A URL with which anybody can fetch an object for `seconds`.
    def presigned_url(bucket, key, seconds)
      path = key.split("/").map { |part| Aws::Sigv4::Signer.uri_escape(part) }.join("/")
      base = ENV["AWS_ENDPOINT_URL_S3"] || ENV["AWS_ENDPOINT_URL"]
      url = base ? "#{base}/#{bucket}/#{path}" : "https://#{bucket}.s3.#{region}.amazonaws.com/#{path}"
      signer("s3", uri_escape_path: false)
        .presign_url(http_method: "GET", url: url, expires_in: seconds, body_digest: "UNSIGNED-PAYLOAD").to_s
    end

    def signer(signing_name, **options)
      # A client of the core gem finds credentials like any other: environment, profile, container, instance.
      @credentials ||= Aws::STS::Client.new(region: region).config.credentials
      Aws::Sigv4::Signer.new(service: signing_name, region: region, credentials_provider: @credentials, **options)
    end
  end
end

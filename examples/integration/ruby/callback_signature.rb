# frozen_string_literal: true

require "openssl"

# Checks the signature of a callback. Copy this file; it needs the standard library only.
module CallbackSignature
  HEADER = "Jiki-Signature"

  # Seconds. What is older was recorded by somebody and sent again.
  REPLAY_WINDOW = 300

  # Whether `header` (`t=<Unix seconds>,v1=<hex>`) signs exactly these bytes with a secret, and is recent.
  # `body` is the body as it came (in Rails `request.raw_post`): parsing it and writing it again changes bytes.
  # `secrets` is the value of the secret, or several while it is being changed. White space around a value does not
  # belong to it.
  def self.genuine?(body, header, secrets, now: Time.now)
    fields = header.to_s.split(",").to_h { |field| field.split("=", 2).then { |name, value| [name, value.to_s] } }
    sent_at = fields["t"].to_s
    return false unless sent_at.match?(/\A[0-9]{1,12}\z/)
    return false if (now.to_i - sent_at.to_i).abs > REPLAY_WINDOW

    Array(secrets).map(&:strip).reject(&:empty?).any? do |secret|
      expected = OpenSSL::HMAC.hexdigest("SHA256", secret, "#{sent_at}.".b + body.b)
      OpenSSL.secure_compare(expected, fields["v1"].to_s)
    end
  end
end

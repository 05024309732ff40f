# frozen_string_literal: true

require 'json'
require 'monitor'
require 'net/http'
require 'securerandom'
require 'time'

# Reports the jobs of Sidekiq, and any other work, to a Milepost server.
#
# The server is in MILEPOST_URL, the token in MILEPOST_TOKEN or in the file that MILEPOST_TOKEN_FILE names. Reports
# never raise in the work and never block it: a thread sends them, and without a server the work runs as before. Only
# a cancel by a watcher is raised, by `at` and `ask`: as Stopped.
module Milepost
  # A watcher cancelled the job.
  class Stopped < StandardError; end

  QUEUE_EVENTS = 10_000
  BATCH_EVENTS = 500
  # What the server accepts of one event; messages and names are cut. The largest one fits 8 times into a request.
  EVENT_BYTES = 64 * 1024
  MESSAGE_BYTES = 8 * 1024
  NAME_BYTES = 512
  BATCH_BYTES = 8 * EVENT_BYTES
  # A request of this size is refused by no proxy because of its size: the proxy is wrong.
  SMALL_BYTES = 1_000
  # Seconds.
  FIRST_FLUSH = 0.25
  REQUEST_TIMEOUT = 10
  END_TIMEOUT = 2
  RETRY_FIRST = 0.5
  RETRY_MAX = 5.0
  HEARTBEAT = 60
  # Often enough to hear soon that a watcher cancels.
  HEARTBEAT_MAX = 5.0
  # The longest Retry-After, of Milepost and of a proxy, which names an hour and is back in a minute.
  WAIT_MAX = 3600.0
  FOREIGN_WAIT_MAX = 10.0
  # Failures in a row after which an absent server is told of.
  AWAY_TRIES = 3
  TERMINAL = %w[completed failed cancelled].freeze
  WAITS = 'The work goes on; reports wait in memory, and are lost if this lasts until it ends.'

  # Why a request failed: :away, to :retry, :rejected (an event is wrong) or :refused (the job is).
  Failed = Struct.new(:kind, :reason, :after, :status, :job_status)

  # A server, as a producer sees it.
  class Server
    attr_reader :url, :is_away

    def initialize(url, token, &on_token_refused)
      @url = url.chomp('/')
      @token = token
      @on_token_refused = on_token_refused
    end

    # Posts JSON. Milepost's own answer has all of the fields that `marks` names.
    def post(path, body, marks, timeout, headers = {})
      uri = URI("#{@url}/#{path}")
      headers = { 'Authorization' => "Bearer #{token}", 'Content-Type' => 'application/json', **headers }
      seconds = { open_timeout: timeout, read_timeout: timeout, write_timeout: timeout, max_retries: 0 }
      response = Net::HTTP.start(uri.host, uri.port, use_ssl: uri.scheme == 'https', **seconds) do |http|
        http.post(uri, body, headers)
      end
      read(response, response.code.to_i, marks).tap { |answer| @is_away = answer.is_a?(Failed) && answer.kind == :away }
    rescue StandardError => e
      @is_away = true
      Failed.new(:away, "can't be reached (#{e.class})", 0.0)
    end

    private

    def read(response, status, marks)
      answer = Milepost.parse(response.body)
      return answer if status.between?(200, 299) && marks.all? { |mark| answer.key?(mark) }

      detail = answer['detail']
      is_ours = status >= 400 && answer['type'].to_s.start_with?('urn:milepost:') && detail.is_a?(String) &&
                response['Content-Type'].to_s.start_with?('application/problem+json')
      # Whatever a proxy says, Milepost is away.
      return Failed.new(:away, away(status), wait(response, FOREIGN_WAIT_MAX), status) unless is_ours
      return Failed.new(:rejected, detail) if [400, 413, 415, 422].include?(status)
      return Failed.new(:refused, detail, nil, nil, answer['jobStatus']) if [403, 404, 409].include?(status)

      @on_token_refused.call(detail) if status == 401
      Failed.new(:retry, detail, wait(response, WAIT_MAX))
    end

    def away(status)
      return 'redirects: set the URL at which Milepost answers' if status.between?(300, 399)

      "answers #{status}, but not as Milepost"
    end

    def wait(response, most)
      text = response['Retry-After'].to_s
      (text.match?(/\A\d+\z/) ? text.to_f : Time.httpdate(text) - Time.now).clamp(0.0, most)
    rescue ArgumentError
      0.0
    end

    def token
      return (@token.respond_to?(:call) ? @token.call : @token).strip if @token

      path = ENV.fetch('MILEPOST_TOKEN_FILE', nil)
      (path ? File.read(path) : ENV.fetch('MILEPOST_TOKEN', '')).strip
    end
  end

  # Reports on any number of jobs, from a thread of its own. The block gets a sentence about each kind of problem, the
  # first time that it occurs.
  class Reporter
    def initialize(url: ENV.fetch('MILEPOST_URL', ''), token: nil, &on_problem)
      @on_problem = on_problem || ->(problem) { warn("milepost: #{problem}") }
      @told = {}
      @server = Server.new(url, token) { |detail| tell('token', "The token was refused: #{detail} #{WAITS}") }
      @is_closed = url.empty?
      reset
      tell('url', 'Nothing is reported: set MILEPOST_URL and MILEPOST_TOKEN.') if @is_closed
      at_exit { close }
    end

    # Creates a job. With an id that it has, and the same fields, it is that job. More fields: owner, parent_id,
    # metadata, timeout_seconds.
    def create(title:, kind: 'job', id: SecureRandom.hex(16), heartbeat_seconds: HEARTBEAT, **more)
      fields = { id: id, kind: kind, title: title, heartbeat_seconds: heartbeat_seconds, **more }.compact
      Job.new(self, id, heartbeat_seconds, fields.transform_keys { |name| name.to_s.gsub(/_(\w)/) { $1.upcase } })
    end

    # Reports on a job that was created elsewhere.
    def job(id)
      Job.new(self, id, HEARTBEAT, nil)
    end

    # Sends what waits, for so many seconds at most. Returns whether the server has all of it.
    def flush(timeout = END_TIMEOUT, jobs = nil)
      ends = now + timeout
      @lock.synchronize do
        waiting = (jobs || @jobs.keys).reject(&:idle?)
        waiting.each { |job| schedule(job, 0) }
        until waiting.all?(&:idle?)
          # The end of a job does not wait for a server that is away.
          return false if now >= ends || (jobs && @server.is_away)

          @changed.wait(ends - now)
        end
      end
      true
    end

    # Sends what waits, for so many seconds at most, and stops.
    def close(timeout = 5)
      return if @is_closed || @pid != Process.pid

      @is_closing = true
      flush(timeout)
      @is_closed = true
      lost = @lock.synchronize { @jobs.keys.sum(&:close) }
      tell('away', "#{@server.url} did not take all in time: #{lost} events are lost.") if lost.positive?
    end

    # From here on for jobs.

    attr_reader :is_closed, :is_closing

    def synchronize(&block)
      # A forked process has no thread; its parent sends what waits there.
      reset if @pid != Process.pid
      @lock.synchronize(&block)
    end

    # Until something has changed, or for so many seconds. Only within `synchronize`.
    def wait(seconds)
      @changed.wait(seconds)
    end

    def now
      Process.clock_gettime(Process::CLOCK_MONOTONIC)
    end

    def tell(kind, problem)
      return if @told[kind]

      @told[kind] = true
      @on_problem.call(problem)
    rescue StandardError
      nil
    end

    def tell_away(reason)
      tell('away', "#{@server.url} #{reason}. #{WAITS}")
    end

    def schedule(job, seconds)
      job.due = [job.due, now + seconds].min
      @jobs[job] = true
      @thread = Thread.new { run } unless @thread&.alive?
      @changed.broadcast
    end

    def forget(job)
      @jobs.delete(job)
      @changed.broadcast
    end

    def post(path, body, marks, headers = {})
      @server.post(path, body, marks, @is_closing ? END_TIMEOUT : REQUEST_TIMEOUT, headers)
    end

    private

    def reset
      @pid = Process.pid
      (@jobs || {}).each_key(&:forget_parent)
      @jobs = {}
      @lock = Monitor.new
      @changed = @lock.new_cond
      @thread = nil
    end

    def run
      loop do
        @lock.synchronize do
          first = @jobs.keys.map(&:due).min || Float::INFINITY
          @changed.wait(first == Float::INFINITY ? nil : first - now) if first > now
          @jobs.keys.select { |job| job.due <= now }
        end.each(&:deliver)
      end
    end
  end

  class << self
    # The object in JSON, or an empty one.
    def parse(text)
      value = JSON.parse(text.to_s)
      value.is_a?(Hash) ? value : {}
    rescue JSON::ParserError
      {}
    end

    # The reporter of this process.
    def reporter
      @reporter ||= Reporter.new
    end
  end
end

require_relative 'milepost/job'

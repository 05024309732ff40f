# frozen_string_literal: true

require 'sidekiq'
require_relative '../milepost'

module Milepost
  # Reports the jobs of Sidekiq: call it where Sidekiq is configured, in what runs jobs and in what adds them.
  #
  # A job has the id of Sidekiq's. Its other fields are those of Reporter#create: `defaults` for all, and the option
  # `milepost` of a class, or of one job: `Export.set(milepost: { title: 'Yearly export' }).perform_async`.
  def self.sidekiq(**defaults)
    Sidekiq.configure_client do |config|
      config.client_middleware { |chain| chain.add(ClientMiddleware, defaults) }
    end
    Sidekiq.configure_server do |config|
      config.client_middleware { |chain| chain.add(ClientMiddleware, defaults) }
      config.server_middleware { |chain| chain.add(ServerMiddleware) }
      config.death_handlers << ->(message, error) { reporter.job(message['jid']).fail(error) }
      config.on(:shutdown) { reporter.flush }
    end
  end

  # What the class of a job includes, for `total` and `at`.
  module Worker
    # How many things there are to do.
    def total(count)
      milepost&.total(count)
    end

    # How many are done. Raises Stopped when a watcher cancels.
    def at(done, message = nil)
      milepost&.at(done, message)
    end

    # The job, for everything else that it reports.
    def milepost
      Thread.current[:milepost]
    end
  end

  # Creates a job when it is added to a queue.
  class ClientMiddleware
    def initialize(defaults)
      @defaults = defaults
    end

    def call(_class, message, _queue, _redis = nil)
      # What is scheduled, or tried again, comes by a second time.
      return yield if message['milepost_job']

      name = (message['wrapped'] || message['class']).to_s
      own = (message['milepost'] || {}).transform_keys(&:to_sym)
      fields = message['milepost_job'] = { title: name, kind: name, **@defaults, **own }
      added = yield
      Milepost.reporter.create(id: message['jid'], **fields).release if added
      added
    end
  end

  # Reports what becomes of a job.
  class ServerMiddleware
    def call(_worker, message, _queue)
      job = Thread.current[:milepost] = start(message)
      yield
      job.complete
    rescue Stopped
      job.status('cancelled')
    rescue Sidekiq::Shutdown
      job.retry(message: 'To go on when Sidekiq is back', attempt: attempt(message))
      raise
    rescue Exception => e # rubocop:disable Lint/RescueException
      # After the last try Sidekiq calls the death handlers.
      job.log("To be tried again: #{e.message}", level: 'warn')
      job.retry(message: "To be tried again: #{e.message}", attempt: attempt(message) + 1)
      raise
    ensure
      Thread.current[:milepost] = nil
      job.release
      # The process may be killed next.
      job.flush
    end

    private

    # Sidekiq counts the tries after the second.
    def attempt(message)
      message['retry_count'] ? message['retry_count'] + 2 : 1
    end

    # A repeated creation finds the same job.
    def start(message)
      count = message['retry_count']
      fields = (message['milepost_job'] || {}).transform_keys(&:to_sym)
      reporter = Milepost.reporter
      job = count || fields.empty? ? reporter.job(message['jid']) : reporter.create(id: message['jid'], **fields)
      job.status('running', message: count && "Try #{attempt(message)}")
      job
    end
  end
end

# frozen_string_literal: true

module Milepost
  # Reports on one job. No method raises, waits or takes long, but `at`, `ask` and `flush`.
  class Job
    Event = Struct.new(:type, :fields, :text)
    Batch = Struct.new(:events, :key, :body)
    # An ask that somebody waits for, until its event is nil. Without an answer its value is nil.
    Ask = Struct.new(:id, :event, :value)
    # The longest time between two requests while an ask is open, in seconds: receipts have the answers.
    ANSWER_SECONDS = 3

    attr_accessor :due
    attr_reader :id, :dropped, :is_cancelled

    def initialize(reporter, id, heartbeat, to_create)
      @reporter = reporter
      @id = id
      @heartbeat = [heartbeat / 3.0, HEARTBEAT_MAX].min
      @to_create = to_create
      @inherited = { kind: 'job', **(to_create || {}).slice('kind', 'owner').transform_keys(&:to_sym) }
      @is_over = reporter.is_closed
      @done = @dropped = @failures = 0
      @most = BATCH_EVENTS
      @flush_seconds = FIRST_FLUSH
      @sent_at = reporter.now
      forget_parent
      reporter.synchronize { reporter.schedule(self, 0) } if to_create && !@is_over
    end

    # total, unit, message, succeeded, failed. Of what waits only the newest is sent.
    def progress(done, **fields)
      add('progress', done: done, **fields)
    end

    # pending, running, paused, completed, failed or cancelled; message, result, title, metadata.
    def status(status, **fields)
      add('status', status: status, **fields)
    end

    # Ends the job; message, result, title, metadata.
    def complete(**fields)
      status('completed', **fields)
    end

    # Ends the job as failed, with the message of an exception or a text.
    def fail(error)
      status('failed', message: error.is_a?(Exception) ? "#{error.class}: #{error.message}" : error.to_s)
    end

    # This try has failed, and another follows, here or elsewhere; message, attempt.
    def retry(error = nil, **fields)
      self.error(error.is_a?(Exception) ? error.message : error.to_s) if error
      status('pending', **fields)
    end

    # pending, running, succeeded, failed or skipped; label, progress, message, error.
    def item(id, status = nil, **fields)
      add('item', id: id, status: status, **fields)
    end

    # As an item; label, done, total, message, weight.
    def step(id, status = nil, **fields)
      add('step', id: id, status: status, **fields)
    end

    # code, itemId.
    def error(message, **fields)
      add('error', message: message, **fields)
    end

    # level: debug, info, warn or error.
    def log(message, level: 'info')
      add('log', message: message, level: level)
    end

    # How many things there are to do.
    def total(count)
      @total = count
      progress(0, total: count)
    end

    # How many are done. Raises Stopped when a watcher cancels.
    def at(done, message = nil)
      progress(done, total: @total, message: message)
      raise Stopped if @is_cancelled
    end

    # Asks the owner of the job, waits, and returns the answer: true or false, or what the schema says, a flat JSON
    # Schema. Returns nil when nobody answered before expires_at (a Time, or text) or the end of the job, or within
    # `timeout` seconds: then the ask stays open, and the same id asks on. An id that was answered before, by an earlier
    # try of this work, has that answer. Raises Stopped when a watcher cancels.
    def ask(message, schema: nil, expires_at: nil, id: SecureRandom.hex(16), timeout: nil)
      ends = timeout ? @reporter.now + timeout : Float::INFINITY
      expires_at = expires_at.iso8601 if expires_at.respond_to?(:iso8601)
      fields = { id: id, message: message, schema: schema, expiresAt: expires_at }
      ask = Ask.new(cut(:id, id))
      @reporter.synchronize do
        ask.event = enqueue('ask', fields) unless @is_cancelled
        @asks << ask
        wait(ask, ends)
      ensure
        @asks.delete_if { |other| other.equal?(ask) }
      end
      raise Stopped if ask.value.nil? && @is_cancelled

      ask.value
    end

    # Creates a child of this job, of the same kind and owner unless the fields say otherwise: see Reporter#create.
    def fork(title, **fields)
      @reporter.create(title: title, **@inherited, **fields, parent_id: @id)
    end

    # Sends what waits, for so many seconds at most.
    def flush(timeout = END_TIMEOUT)
      @reporter.flush(timeout, [self])
    end

    # Another process, or a later try, goes on with the job.
    def release
      @is_running = false
      @is_over = true
    end

    # From here on for the reporter.

    def idle?
      @queue.empty? && !@batch && !@to_create
    end

    # In a forked process: the parent sends what waited, and shows that the job lives.
    def forget_parent
      @queue = []
      @batch = nil
      @asks = []
      @is_running = false
      @due = Float::INFINITY
    end

    # Drops everything, for a reason. Returns how many events.
    def close(reason = nil)
      lost = @queue.size + (@batch ? @batch.events.size : 0)
      @dropped += lost
      forget_parent
      @to_create = nil
      @is_over = true
      @reporter.forget(self)
      @reporter.tell("closed #{@id}", "Job #{@id} #{reason}") if reason
      lost
    end

    # Creates the job, if it is not yet, and sends one batch.
    def deliver
      batch = @reporter.synchronize { prepare }
      failed = create
      failed = send_batch(batch) if batch && !failed && @batch
      @reporter.synchronize { plan(failed) }
    rescue StandardError => e
      # Nonsense in an answer must not end the thread.
      @reporter.synchronize { plan(Failed.new(:retry, e.class.name, 0.0)) }
    end

    private

    def add(type, **fields)
      enqueue(type, fields)
      nil
    end

    # Returns the event, unless it was dropped.
    def enqueue(type, fields)
      event = encode(type, fields.compact.to_h { |name, value| [name, cut(name, value)] })
      @reporter.synchronize do
        next (@dropped += 1) && nil if event.nil? || @is_over || @reporter.is_closed

        push(event)
        event
      end
    end

    def wait(ask, ends)
      while ask.event && !@is_over && !@is_cancelled && !@reporter.is_closed
        left = [ends - @reporter.now, ANSWER_SECONDS].min
        break unless left.positive?

        @reporter.wait(left)
      end
    end

    # Ends the wait for the asks of which the block is true.
    def close_asks(value = nil)
      @asks.each do |ask|
        next unless yield ask

        ask.value = value
        ask.event = nil
      end
    end

    def encode(type, fields)
      text = JSON.generate({ type: type, **fields })
      raise ArgumentError, "its JSON has more than #{EVENT_BYTES} bytes" if text.bytesize > EVENT_BYTES

      Event.new(type, fields, text)
    rescue StandardError => e
      reject(type, e.message)
      encode(type, fields.slice(:status)) if type == 'status' && fields.size > 1
    end

    def reject(type, reason)
      @reporter.tell("rejected #{@id}", "A #{type} event of job #{@id} was not taken: #{reason}")
    end

    def cut(name, value)
      return value unless value.is_a?(String)

      most = %i[message error].include?(name) ? MESSAGE_BYTES : NAME_BYTES
      value.encode('UTF-8', invalid: :replace, undef: :replace).scrub.byteslice(0, most).scrub('')
    end

    def push(event)
      case event.type
      when 'progress'
        @done = event.fields[:done]
        last = @queue.rindex { |other| %w[progress status].include?(other.type) }
        # No progress moves across a status.
        return replace(last, event) if last && @queue[last].type == 'progress'
      when 'status'
        @is_running = event.fields[:status] == 'running'
        # With an event after a terminal status the server would refuse the batch.
        @is_over = TERMINAL.include?(event.fields[:status])
      end
      @queue << event
      drop_oldest if @queue.size > QUEUE_EVENTS
      # While the server is away, the back-off decides.
      is_due = @is_over || event.type == 'ask'
      @reporter.schedule(self, is_due ? 0 : @flush_seconds) if @failures.zero? || @due == Float::INFINITY
    end

    def replace(at, event)
      @queue[at] = encode('progress', { **@queue[at].fields, **event.fields }) || event
    end

    # Log lines first, status events last.
    def drop_oldest
      log = @queue.index { |event| event.type == 'log' }
      dropped = @queue.delete_at(log || @queue.index { |event| event.type != 'status' } || 0)
      close_asks { |ask| ask.event.equal?(dropped) }
      @dropped += 1
      @reporter.tell('full', "Job #{@id} drops events: too many wait.")
    end

    def prepare
      @due = Float::INFINITY
      show_life if idle? && @reporter.now - @sent_at >= longest_silence
      return @batch if @batch || @queue.empty?

      size = 0
      count = @queue.take(@most).take_while { |event| (size += event.text.bytesize) <= BATCH_BYTES }.size
      events = @queue.shift([count, 1].max)
      @batch = Batch.new(events, SecureRandom.hex(16), "[#{events.map(&:text).join(',')}]")
    end

    def longest_silence
      @asks.empty? ? @heartbeat : [@heartbeat, ANSWER_SECONDS].min
    end

    def show_life
      return push(encode('progress', { done: @done })) if @is_running

      # The same ask again changes nothing, and its receipt has the answer.
      @asks.filter_map(&:event).each { |event| push(event) }
    end

    # Creates the job. Repeated, the request finds the same job.
    def create
      return unless @to_create

      answer = @reporter.post('api/jobs', JSON.generate(@to_create), %w[epoch version itemCounts])
      return answer if answer.is_a?(Failed) && %i[retry away].include?(answer.kind)

      @reporter.synchronize do
        return (close("was not created: #{answer.reason}") && nil) if answer.is_a?(Failed)

        @to_create = nil
        @epoch = answer['epoch']
        @is_cancelled = true if answer['cancelRequested'] || answer['status'] == 'cancelled'
        # Nobody is told of a job that was cancelled while it waited.
        close(@is_cancelled ? nil : "has ended: it is #{answer['status']}") if TERMINAL.include?(answer['status'])
      end
      nil
    end

    # Returns the failure after which the batch is to be repeated.
    def send_batch(batch)
      path = "api/jobs/#{@id}/events#{@epoch && "?epoch=#{@epoch}"}"
      marks = %w[version cancelRequested flushMs]
      answer = @reporter.post(path, batch.body, marks, { 'Idempotency-Key' => batch.key })
      @reporter.synchronize do
        next confirm(answer) unless answer.is_a?(Failed)
        # A proxy with a smaller limit: Milepost has not seen the batch.
        next divide(batch, 'a proxy refuses its size') if answer.status == 413 && batch.body.bytesize > SMALL_BYTES
        next answer if %i[retry away].include?(answer.kind)

        next divide(batch, answer.reason) if answer.kind == :rejected

        @is_cancelled ||= answer.job_status == 'cancelled'
        close(@is_cancelled ? nil : "takes no more events: #{answer.reason}")
        nil
      end
    end

    def confirm(receipt)
      @batch = nil
      @sent_at = @reporter.now
      @most = [BATCH_EVENTS, (@most * 9 / 8) + 1].min
      @flush_seconds = (receipt['flushMs'] / 1000.0).clamp(0.02, 60.0)
      receipt.fetch('answers', []).each do |answer|
        close_asks(answer['value']) { |ask| ask.id == answer['ask'] }
      end
      @is_cancelled ||= receipt['cancelRequested'] == true
      nil
    end

    # Sends a batch in halves, until the wrong event is alone; of a status its other fields are dropped.
    def divide(batch, reason)
      @batch = nil
      @most = (batch.events.size + 1) / 2
      return (@queue.unshift(*batch.events) && nil) if batch.events.size > 1

      event = batch.events[0]
      reject(event.type, reason)
      close_asks { |ask| ask.event.equal?(event) }
      return (@dropped += 1) && nil unless event.type == 'status' && event.fields.size > 1

      @queue.unshift(encode('status', event.fields.slice(:status))) && nil
    end

    def plan(failed)
      return @reporter.forget(self) if @due == Float::INFINITY && @is_over && idle?
      return retry_later(failed) if failed

      @failures = 0
      is_now = @is_over || @reporter.is_closing || @queue.size >= @most
      if !@queue.empty? then @reporter.schedule(self, is_now ? 0 : @flush_seconds)
      elsif @is_running || @asks.any? then @reporter.schedule(self, longest_silence)
      else @reporter.forget(self)
      end
    end

    # With jitter, so that producers do not come back together.
    def retry_later(failed)
      @failures += 1
      @reporter.tell_away(failed.reason) if @failures == AWAY_TRIES && failed.kind == :away
      tries = @reporter.is_closing ? 0 : [@failures - 1, 10].min
      wait = [RETRY_MAX, RETRY_FIRST * (2**tries)].min * (0.5 + (rand / 2))
      wait = [wait, failed.after * (1 + (rand / 4))].max unless @reporter.is_closing
      @reporter.schedule(self, wait)
    end
  end
end

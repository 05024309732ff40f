import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { ApiClient } from '../../support/api-client.ts'
import type { Received, StreamReader } from '../../support/stream-reader.ts'
import { accessToken, SECRET } from '../../support/tokens.ts'
import { WebhookReceiver } from '../../support/webhook-receiver.ts'
import { describeAccess } from './access.ts'
import { describeAsks } from './asks.ts'
import { describeAudit } from './audit.ts'
import { describeCloudEvents } from './cloud-events.ts'
import { describeEvents } from './events.ts'
import { describeHostility } from './hostility.ts'
import { describeJobs } from './jobs.ts'
import { describeLimits } from './limits.ts'
import { describeLoad } from './load.ts'
import { describeManyJobs } from './many-jobs.ts'
import { describeOperations } from './operations.ts'
import { describeReport } from './report.ts'
import { describeResuming } from './resuming.ts'
import { describeSessions } from './sessions.ts'
import { describeStreams } from './streams.ts'
import { describeTenants } from './tenants.ts'
import { describeTokens } from './tokens.ts'
import { describeWebhooks } from './webhooks.ts'

/** A server in a process of its own. */
export interface RuntimeServer {
  /** Where it listens: ends in a slash. */
  readonly url: string
  /** All that the process has printed. */
  readonly output: string
  /** The link that signs a browser in, once; empty where the runtime has no way to print one. */
  readonly signInLink: string
  /** Memory that the process holds: bytes. */
  residentBytes(): Promise<number>
  stop(): Promise<void>
}

/** Starts a server with an empty store; the settings are environment variables. */
export type StartRuntime = (settings: Record<string, string>) => Promise<RuntimeServer>

/** What differs between runtimes, and may. */
export interface RuntimeTraits {
  /** Events that a batch may have, where the engine takes fewer than others. */
  batchEvents?: number
  /** Connections that are opened and reset at once, where the 200 or 300 of others are too many for the runtime itself. */
  connectionsAtOnce?: number
  /** Its engine has no list of everyone's jobs. */
  knowsOwnersOnly?: true
  /** There are no services: nothing goes on there once a request is answered. */
  hasServices?: false
  /** The platform in front of it compresses, not the server. */
  isCompressedByPlatform?: true
}

/** The servers of the test that runs. */
export interface RuntimeSubject {
  readonly server: RuntimeServer
  /** One with small limits, where frames leave every turn, ended jobs are kept for a second, and pings come as seldom as they may. */
  readonly strict: RuntimeServer
  readonly traits: RuntimeTraits
  /** Someone with a token of the server: may read and write, unless `scope` says otherwise. */
  client(sub: string, scope?: string): Promise<ApiClient>
  /** The same of the strict server. */
  strictClient(sub: string, scope?: string): Promise<ApiClient>
  /** Someone without a token. */
  readonly anyone: ApiClient
}

const ORIGIN = 'https://app.example'

const settings = {
  MILEPOST_SECRET: SECRET,
  MILEPOST_ORIGINS: `${ORIGIN},https://other.example`,
  // Some runtimes notice only at a ping that a reader has left.
  MILEPOST_PING_SECONDS: '2',
  MILEPOST_WEBHOOK_NETWORKS: '127.0.0.0/8',
}

const strictSettings = {
  MILEPOST_SECRET: SECRET,
  MILEPOST_FRAME_MS: '0',
  MILEPOST_RETENTION_SECONDS: '1',
  MILEPOST_STREAMS: '3',
  MILEPOST_JOB_STREAMS: '4',
  MILEPOST_LIVE_JOBS: '2',
  MILEPOST_ITEMS: '3',
  MILEPOST_STEPS: '2',
  MILEPOST_DOCUMENT_BYTES: '70000',
  MILEPOST_UPLOAD_BYTES: '1024',
}

const secondsBetween = (one?: Received, other?: Received) =>
  (Date.parse(String(other?.data.at)) - Date.parse(String(one?.data.at))) / 1_000

/**
 * What a server must do on every runtime: the whole of its HTTP API, from outside.
 *
 * @example
 * ```ts
 * describeRuntime('bun', startBun)
 * ```
 */
export function describeRuntime(name: string, start: StartRuntime, traits: RuntimeTraits = {}): void {
  describe(`runtime ${name}`, () => {
    let server: RuntimeServer | undefined
    let strict: RuntimeServer | undefined
    let quiet: StreamReader | undefined
    const receiver = new WebhookReceiver()
    const started = (value: RuntimeServer | undefined): RuntimeServer => {
      if (!value) throw new Error('The server has not started')
      return value
    }
    const subject: RuntimeSubject = {
      traits,
      get server() {
        return started(server)
      },
      get strict() {
        return started(strict)
      },
      client: async (sub, scope) => new ApiClient(started(server).url, await accessToken(sub, scope)),
      strictClient: async (sub, scope) => new ApiClient(started(strict).url, await accessToken(sub, scope)),
      get anyone() {
        return new ApiClient(started(server).url)
      },
    }
    beforeAll(async () => {
      ;[server, strict] = await Promise.all([
        start(settings),
        start({ ...strictSettings, MILEPOST_WEBHOOK_URLS: receiver.url('/all') }),
      ])
      const ada = await subject.strictClient('quiet')
      const { id } = await ada.create({ id: 'quiet' })
      quiet = await ada.stream(`api/jobs/${id}/progress`)
    }, 180_000)
    afterAll(async () => {
      await quiet?.close()
      await server?.stop()
      await strict?.stop()
      await receiver[Symbol.asyncDispose]()
    })

    describeOperations(subject)
    describeAccess(subject, ORIGIN)
    describeSessions(subject)
    describeAudit(subject)
    describeTokens(subject)
    describeJobs(subject)
    describeEvents(subject)
    describeCloudEvents(subject)
    describeAsks(subject)
    describeReport(subject)
    describeLimits(subject)
    describeStreams(subject)
    describeResuming(subject)
    describeManyJobs(subject)
    describeTenants(subject)
    describeWebhooks(subject, receiver)
    describeHostility(subject)
    describeLoad(subject)

    test('a stream on which nothing happens is pinged after 30 s, longer than runtimes keep silent connections', async () => {
      const snapshot = await quiet?.next()
      const [first, second] = [await quiet?.ping(), await quiet?.ping()]
      for (const ping of [first, second])
        expect([ping?.data.version, ping?.lastEventId]).toEqual([1, snapshot?.lastEventId ?? ''])
      expect(secondsBetween(first, second)).toBeGreaterThan(29)
    }, 180_000)

    test('a stream is pinged as often as it is set', async () => {
      const ada = await subject.client('pinged')
      const { id } = await ada.create()
      const streams = await Promise.all([ada.stream(`api/jobs/${id}/progress`), ada.stream('api/progress')])
      for (const stream of streams) {
        await stream.next()
        expect(secondsBetween(await stream.ping(), await stream.ping())).toBeLessThan(29)
        await stream.close()
      }
    }, 180_000)

    test('nothing secret was printed, and nothing went wrong that had to be', () => {
      for (const { output, signInLink } of [subject.server, subject.strict]) {
        // What workerd says of its own connections, after it was left in the middle of a message.
        const printed = output
          .replaceAll(signInLink || '\0', '')
          .replace(/^NOSENTRY RPC connection broken.*$/gm, '')
          .replaceAll('/docs/errors', '')
          // Why a token was refused is for the operator alone; workerd marks such lines as errors.
          .replace(/^.*MILEPOST_TENANT_CLAIM: an access token was refused.*$/gm, '')
        expect(printed).not.toContain(SECRET)
        // Every token begins so: a JWT's header in base64url.
        expect(printed).not.toContain('eyJ')
        expect(printed).not.toContain('mpst_')
        expect(printed).not.toMatch(/error|exception|at .*\.ts:\d+/i)
      }
    })
  })
}

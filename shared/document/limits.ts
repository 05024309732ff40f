/** Limits of one job, one request and one principal. An operator can change each. */
export interface Limits {
  /** Bytes of JSON in one event. */
  eventBytes: number
  /** Bytes of one publish request. */
  bodyBytes: number
  /** Events in one batch. */
  batchEvents: number
  /** Items of a job. */
  items: number
  /** Steps of a job. */
  steps: number
  /** Bytes of a job's header, steps and items. The error and log windows are bounded by their own length. */
  documentBytes: number
  /** Bytes of JSON in `result`. */
  resultBytes: number
  /** Bytes of JSON in `metadata`. */
  metadataBytes: number
  /** Bytes of a message. */
  messageBytes: number
  /** Bytes of a title, a label or the id of an item or step. */
  titleBytes: number
  /** Open streams of one principal. */
  streams: number
  /** Open streams of one job, to those who have a watch token of it. */
  jobStreams: number
  /** Jobs of one principal that have not ended. */
  liveJobs: number
  /** Jobs that one principal created and that are kept, ended or not. */
  keptJobs: number
  /** Bytes of their documents, in blocks of 4 KiB; errors and log lines, which are bounded by their own, are not counted. */
  keptBytes: number
  /** Bytes of one upload to a reference service: read in one go, which takes the event loop a millisecond each MiB, and kept while it runs. */
  uploadBytes: number
  /** Parts of the form of one upload, files and other fields. Their headers have 256 bytes on average: a runtime takes long to read them. */
  formParts: number
  /** Reference services of one principal that run at once, those that are paused too: each holds its upload in memory. */
  services: number
  /** Publishes of one principal a second, on one server; as all rates, some seconds' worth may come at once. */
  publishesPerSecond: number
  /** Bytes of events of one principal a second. */
  publishBytesPerSecond: number
  /** Jobs that one principal creates a second. */
  createsPerSecond: number
  /** Tokens and sign-in links that one principal makes a second. */
  tokensPerSecond: number
  /** Reference services that one principal starts a second. */
  servicesPerSecond: number
  /** Requests of one principal a second, but for publishes. */
  requestsPerSecond: number
  /** Requests without valid credentials of one address a second, tries to sign in among them: an IPv6 address counts by its /64. */
  strangersPerSecond: number
}

const KIB = 1024
const MIB = 1024 * KIB

/** The limits of a server whose operator set none. */
export const defaultLimits: Readonly<Limits> = {
  eventBytes: 64 * KIB,
  bodyBytes: MIB,
  batchEvents: 1_000,
  items: 100_000,
  steps: 100,
  documentBytes: 16 * MIB,
  resultBytes: 64 * KIB,
  metadataBytes: 16 * KIB,
  messageBytes: 8 * KIB,
  titleBytes: 512,
  streams: 10_000,
  jobStreams: 10_000,
  liveJobs: 10_000,
  keptJobs: 1_000_000,
  keptBytes: 64 * 1_024 * MIB,
  uploadBytes: 16 * MIB,
  formParts: 1_000,
  services: 4,
  publishesPerSecond: 50_000,
  publishBytesPerSecond: 256 * MIB,
  createsPerSecond: 1_000,
  tokensPerSecond: 100,
  servicesPerSecond: 10,
  requestsPerSecond: 10_000,
  strangersPerSecond: 50,
}

/** Batches of one request that publishes to several jobs; its body may have four times `bodyBytes`. */
export const BATCHES_LIMIT = 1_000
/** The highest number of an attempt. */
export const ATTEMPT_LIMIT = 1_000_000
/** Errors that a document keeps: the newest ones. */
export const ERROR_WINDOW = 100
/** Log lines that a document keeps: the newest ones. */
export const LOG_WINDOW = 1_000

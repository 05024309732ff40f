/** The state of a job as people see it: its status, combined with the connection and the time. */
export type JobState =
  | 'connecting'
  | 'unreachable'
  | 'waiting'
  | 'running'
  | 'paused'
  | 'asking'
  | 'stalled'
  | 'cancelling'
  | 'completed'
  | 'completed-with-failures'
  | 'failed'
  | 'cancelled'
  | 'not-found'
  | 'expired'
  | 'origin-refused'

/** The forms of a word by the plural categories of its language (CLDR); `other` is always there. */
type PluralForms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }

/** The texts of one job in one language: whole sentences with formatted numbers and durations. */
export interface JobLanguage {
  /** BCP 47, for `Intl`. */
  tag: string
  /** The text of the chip, for states that have one. */
  chips: Partial<Record<JobState, string>>
  connecting: string
  unreachable: string
  waiting: string
  /** `done` is a number; `total` has its unit. */
  doneOfTotal(done: string, total: string): string
  doneSoFar(done: string): string
  pausedAt(percent: string): string
  paused: string
  noNews(duration: string): string
  lastSeen(duration: string): string
  offlineSince(time: string): string
  offline: string
  /** What was done, and how long it took. */
  doneIn(amount: string, duration: string): string
  finishedIn(duration: string): string
  doneAndFailed(done: string, failed: string): string
  showFailures: string
  failed: string
  /** Beside the line of a stopped or disconnected job. */
  at(percent: string): string
  cancelling: string
  cancelledAt(percent: string): string
  cancelled: string
  notFound: string
  expired: string
  originRefused: string
  /** Coarse, and only while the estimate is reliable. */
  aboutLeft(duration: string): string
  momentsLeft: string
  /** The line and its aside as one sentence, for screen readers. */
  lineAndAside(line: string, aside: string): string
  progressAndRate(progress: string, rate: string): string
  perSecond(amount: string): string
  perMinute(amount: string): string
  perHour(amount: string): string
  percent(number: string): string
  lessThanASecond: string
  seconds(number: string): string
  minutes(number: string): string
  hours(number: string): string
  days(number: string): string
  /** An amount in an unknown unit, as its producer wrote it. */
  amount(number: string, unit: string): string
  /** Units that producers name, in the plural, and their forms here. */
  units: Record<string, PluralForms>
}

/** The texts of one job in English. A number and its unit stay on one line: what is between them is a no-break space. */
export const jobEnglish: JobLanguage = {
  tag: 'en',
  chips: {
    waiting: 'Waiting',
    running: 'Running',
    paused: 'Paused',
    asking: 'Needs you',
    stalled: 'Stalled',
    cancelling: 'Cancelling',
    completed: 'Done',
    'completed-with-failures': 'Done',
    failed: 'Failed',
    cancelled: 'Cancelled',
  },
  connecting: 'Connecting',
  unreachable: 'The server does not answer. Trying again.',
  waiting: 'Waiting to start',
  doneOfTotal: (done, total) => `${done} of ${total}`,
  doneSoFar: (done) => `${done} so far`,
  pausedAt: (percent) => `Paused at ${percent}`,
  paused: 'Paused',
  noNews: (duration) => `No news for ${duration}`,
  lastSeen: (duration) => `Reconnecting, last seen ${duration} ago`,
  offlineSince: (time) => `You are offline; as of ${time}`,
  offline: 'You are offline',
  doneIn: (amount, duration) => `${amount} in ${duration}`,
  finishedIn: (duration) => `Finished in ${duration}`,
  doneAndFailed: (done, failed) => `${done} done, ${failed} failed`,
  showFailures: 'Show',
  failed: 'Failed without a reason',
  at: (percent) => `at ${percent}`,
  cancelling: 'Asked to stop',
  cancelledAt: (percent) => `Cancelled at ${percent}`,
  cancelled: 'Cancelled',
  notFound: "This job does not exist, or it isn't yours.",
  expired: 'Your access has expired. Reload the page.',
  originRefused: 'This site may not show this job.',
  aboutLeft: (duration) => `about ${duration} left`,
  momentsLeft: 'a few seconds left',
  lineAndAside: (line, aside) => `${line} — ${aside}`,
  progressAndRate: (progress, rate) => `${progress} · ${rate}`,
  perSecond: (amount) => `${amount}/s`,
  perMinute: (amount) => `${amount}/min`,
  perHour: (amount) => `${amount}/h`,
  percent: (number) => `${number}\xa0%`,
  lessThanASecond: 'less than 1 s',
  seconds: (number) => `${number}\xa0s`,
  minutes: (number) => `${number}\xa0min`,
  hours: (number) => `${number}\xa0h`,
  days: (number) => `${number}\xa0d`,
  amount: (number, unit) => `${number}\xa0${unit}`,
  units: regularUnits('file', 'item', 'record', 'row', 'line', 'word', 'page', 'image', 'document', 'message', 'step'),
}

/** Units whose plural is their name and an `s`. */
function regularUnits(...names: string[]): Record<string, PluralForms> {
  return Object.fromEntries(names.map((one) => [`${one}s`, { one, other: `${one}s` }]))
}

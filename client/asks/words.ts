import type { AnswerValue } from '../../shared/document/ask-schema.ts'

/** The askWords of asks and tries. */
export const askWords = {
  waiting: 'Waiting for your answer',
  asks: (message: string) => `The job asks: ${message}`,
  until: (time: string) => `Until ${time}.`,
  yes: 'Yes',
  no: 'No',
  send: 'Answer',
  choose: 'Choose…',
  answer: 'Your answer',
  optional: (name: string) => `${name} (optional)`,
  required: 'Fill this in.',
  sent: 'Your answer was sent.',
  alreadyAnswered: (value: string, by: string) => `${by} has answered already: ${value}.`,
  answered: 'Questions and answers',
  outcome: (value: string, by: string, time: string) => `${value} (${by}, ${time})`,
  expired: (time: string) => `Nobody answered until ${time}`,
  unanswered: 'Nobody answered before the job ended',
  tries: 'Tries',
  attempt: 'Try',
  retryOf: 'Does again the work of',
  retriedBy: 'Done again by',
  value(value: AnswerValue): string {
    if (typeof value === 'object')
      return Object.entries(value)
        .map(([name, one]) => `${name}: ${askWords.value(one)}`)
        .join(', ')
    if (typeof value === 'boolean') return value ? askWords.yes : askWords.no
    return String(value)
  },
}

/** The names of the messages that a stream may have. */
export const MESSAGE_NAMES = [
  'snapshot',
  'patch',
  'ping',
  'end',
  'progress',
  'status',
  'item',
  'step',
  'job-error',
  'log',
  'control',
  'ask',
  'answer',
] as const

import { createChannel } from 'better-sse'

/** As often as the others ping: milliseconds. */
export const options = { keepAlive: 30_000 }

const channels = new Map()

function channelOf(job) {
  const known = channels.get(job) ?? { channel: createChannel(), last: undefined }
  channels.set(job, known)
  return known
}

/** Lets a session watch a job, from its last event on. */
export function register(job, session) {
  const { channel, last } = channelOf(job)
  channel.register(session)
  if (last) session.push(last, last.type)
}

/** Tells all sessions of a job. */
export function broadcast(job, event) {
  const known = channelOf(job)
  known.last = event
  known.channel.broadcast(event, event.type)
}

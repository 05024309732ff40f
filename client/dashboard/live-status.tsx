import { useEffect, useRef } from 'preact/hooks'
import type { ConnectionStatus } from '../connection/connection-state.ts'
import { say } from '../element/live-region.ts'
import type { ConnectionSignals } from '../signals/connection-signals.ts'
import { getJobSignal } from '../signals/shared-job-signal.ts'
import { owner, whose } from './list/whose-jobs.ts'
import { base, route, viewer } from './navigation.ts'
import { format, jobList, operatorConnection, returns } from './page.ts'
import { text } from './text.ts'

/** The connection status of the page. */
export function LiveStatus() {
  const { value } = route
  if (value.page === 'jobs') return <Line key={`${whose.value} ${owner.value}`} source={jobList.value} />
  if (value.page === 'job') return <JobLine key={value.id} id={value.id} />
  if (value.page === 'operator' && operatorConnection.value) return <Line source={operatorConnection.value} />
  return null
}

function JobLine({ id }: { id: string }) {
  return <Line source={getJobSignal({ jobId: id, baseUrl: base.href, viewer })} />
}

function Line({ source }: { source: ConnectionSignals }) {
  const connection = source.connection.value
  const lastSeen = source.lastSeen.value
  const words = describeConnection(connection, lastSeen, source.now.value)
  const isLost = connection === 'reconnecting' || connection === 'offline'
  const wasLost = useRef(false)
  useEffect(() => {
    if (isLost && words) say(words, false)
    if (isLost) wasLost.current = true
  }, [isLost])
  useEffect(() => {
    if (connection !== 'live' || !wasLost.current) return
    wasLost.current = false
    returns.value += 1
  }, [connection])
  return words === undefined ? null : <span class={`live is-${connection}`}>{words}</span>
}

/** The connection in words; nothing once it has ended normally. */
function describeConnection(
  connection: ConnectionStatus,
  lastSeen: number | undefined,
  now: number,
): string | undefined {
  const { language } = format
  switch (connection) {
    case 'live':
      return text.live
    case 'connecting':
      return language.connecting
    case 'polling':
      return text.polling
    case 'reconnecting':
      return lastSeen === undefined ? language.connecting : language.lastSeen(format.roughDuration(now - lastSeen))
    case 'offline':
      return lastSeen === undefined ? language.offline : language.offlineSince(format.time(lastSeen, now))
    default:
      return undefined
  }
}

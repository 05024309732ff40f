import { computed, type ReadonlySignal, signal } from '@preact/signals'
import type { OperatorFigures } from '../../../../shared/wire/operator.ts'
import { withoutSlash } from '../../../../shared/wire/paths.ts'
import { createCredential } from '../../../connection/access/credential.ts'
import { type ConnectionOptions, createConnection } from '../../../connection/connection.ts'
import { usualEnvironment } from '../../../connection/environment.ts'
import { jobTransition } from '../../../connection/jobs/job-connection-state.ts'
import { createServerClock } from '../../../connection/server-clock.ts'
import { createTabConnection } from '../../../connection/tabs/tab-connection.ts'
import { tabGroup } from '../../../connection/tabs/tab-group.ts'
import { createTransport } from '../../../connection/transport.ts'
import { type ConnectionSignals, watchConnection } from '../../../signals/connection-signals.ts'
import { errorOf, type JobError } from '../../../signals/job-signal.ts'
import { base, viewer } from '../../navigation.ts'

/** The figures of the operator's page, live while they are watched. */
interface FiguresSignal extends ConnectionSignals {
  readonly figures: ReadonlySignal<OperatorFigures | undefined>
  readonly error: ReadonlySignal<JobError | undefined>
}

function createFiguresSignal(): FiguresSignal {
  const environment = usualEnvironment()
  const url = `${withoutSlash(base.href)}/api/operator`
  const serverClock = createServerClock(environment.clock)
  let newest: OperatorFigures | undefined
  let lastSeen: number | undefined

  function take(figures: OperatorFigures): void {
    newest = figures
    serverClock.set(figures.at)
    source.showSoon()
  }
  const options: ConnectionOptions = {
    environment,
    policy: jobTransition,
    ...createTransport({
      environment,
      streamUrl: () => `${url}/progress`,
      pollUrl: () => url,
      requests: createCredential({}, environment, () => {}),
      receivePoll(answer) {
        if (!isFigures(answer)) return undefined
        take(answer)
        shared?.tell('snapshot', answer)
        return {}
      },
    }),
    receive(name, data) {
      if (name === 'ping') serverClock.set((data as OperatorFigures).at)
      else if (isFigures(data)) take(data)
      else throw new TypeError('Not the figures')
      return { type: 'message' }
    },
    onHeard() {
      lastSeen = serverClock.now()
    },
    onStatus: () => source.changed(),
  }
  const group = tabGroup(viewer, withoutSlash(base.href), ['operator'], environment)
  const shared = group && createTabConnection({ ...options, ...group, wants: () => ({}), follow: () => true })
  const source = watchConnection({
    connection: shared ?? createConnection(options),
    times: () => ({ now: serverClock.now(), lastSeen }),
    show() {
      figures.value = newest
    },
    environment,
  })
  const figures = signal<OperatorFigures | undefined>(undefined, source.lifetime)
  return { ...source, figures, error: computed(() => errorOf(source.connection.value, figures.value !== undefined)) }
}

/** Whether an answer has the figures: a proxy may answer anything. */
function isFigures(answer: unknown): answer is OperatorFigures {
  const { at, streams } = Object(answer) as Partial<OperatorFigures>
  return typeof at === 'string' && typeof streams === 'object'
}

/** One connection, whichever part of the page shows it. */
export const operatorFigures = createFiguresSignal()

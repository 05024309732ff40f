import { addFigures, type Results } from './results.ts'
import { type Contestant, expectedSeconds, optionsOf, type Row } from './row.ts'

/** One contestant's turn at a row, in one of the rounds. */
export interface Task {
  round: number
  row: Row
  contestant: Contestant
}

/** All turns: in each round each row, in each row each contestant. */
export function tasksOf(rows: readonly Row[], rounds: number, isWanted: (contestant: Contestant) => boolean): Task[] {
  return Array.from({ length: rounds }, (_, index) =>
    rows
      .filter(({ isOnce }) => !isOnce || index === 0)
      .flatMap((row) => row.contestants.filter(isWanted).map((contestant) => ({ round: index + 1, row, contestant }))),
  ).flat()
}

/** Those turns that a run, which ended early, has not had. */
export function remaining(tasks: readonly Task[], results: Results): Task[] {
  return tasks.filter(
    ({ round, row, contestant }) => (results.get(row.name)?.get(contestant.name)?.length ?? 0) < round,
  )
}

/**
 * Measures one after another, and says how far it is and about how long the rest will take. What fails is told, and the others go on.
 *
 * @param results are added to
 * @param onFigures called after each
 * @param signal ends it: what is being measured is left out
 * @returns why some failed, by row and contestant
 */
export async function measure(
  tasks: readonly Task[],
  isQuick: boolean,
  results: Results,
  say: (line: string) => void,
  { onFigures, signal }: { onFigures?: () => Promise<void>; signal?: AbortSignal } = {},
): Promise<Record<string, string>> {
  const failed: Record<string, string> = {}
  const took = new Map<string, number>()
  const expected = (task: Task) => took.get(nameOf(task)) ?? expectedSeconds(task.row, isQuick)
  for (const [at, task] of tasks.entries()) {
    if (signal?.aborted) break
    const seconds = tasks.slice(at).reduce((sum, one) => sum + expected(one), 0)
    say(`${at + 1} of ${tasks.length}, about ${duration(seconds)} to go: round ${task.round}, ${nameOf(task)}`)
    const begun = performance.now()
    try {
      const figures = await task.contestant.measure(optionsOf(task.row, isQuick))
      if (signal?.aborted) break
      addFigures(results, task.row.name, task.contestant.name, figures)
      await onFigures?.()
    } catch (error) {
      if (signal?.aborted) break
      failed[nameOf(task)] = `${error}`
      say(`${nameOf(task)} failed: ${error}`)
    }
    took.set(nameOf(task), (performance.now() - begun) / 1_000)
  }
  return failed
}

const nameOf = ({ row, contestant }: Task) => `${row.name}, ${contestant.name}`

function duration(seconds: number): string {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.ceil(seconds / 60)} min`
}

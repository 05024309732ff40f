/** How much a run can be trusted: what else the machine did meanwhile, and how far the rounds differ. */
import { readFileSync } from 'node:fs'
import { format, median, type Results } from './results.ts'
import type { Row } from './row.ts'

/** CPU time that the machine had during a run, and that others than the bench took of it: ticks of `/proc`. */
export interface MachineUse {
  total: number
  others: number
}

/**
 * @param stat the text of `/proc/stat`
 * @param own the text of `/proc/PID/stat` of the process whose children, ended and waited for, are not others
 * @returns both since the start, so that of two readings only the difference counts
 */
export function machineUse(stat: string, own: string): MachineUse {
  // proc_stat(5): user, nice, system, idle, iowait, irq, softirq, steal. What the hypervisor steals is taken by others.
  const [, ...fields] = (stat.split('\n')[0] ?? '').split(/ +/).map(Number)
  const times = fields.slice(0, 8)
  const total = times.reduce((sum, ticks) => sum + ticks, 0)
  const [idle = 0, ioWait = 0] = times.slice(3, 5)
  // proc_pid_stat(5): utime, stime, cutime and cstime, counted after the name, which may hold spaces.
  const ours = (own.split(') ').at(-1) ?? '').split(' ').slice(11, 15)
  return { total, others: total - idle - ioWait - ours.reduce((sum, ticks) => sum + Number(ticks), 0) }
}

/** Starts to count. @returns what it was until now */
export function countMachineUse(): () => MachineUse {
  const read = () => machineUse(readFileSync('/proc/stat', 'latin1'), readFileSync('/proc/self/stat', 'latin1'))
  const before = read()
  return () => {
    const now = read()
    return { total: now.total - before.total, others: Math.max(0, now.others - before.others) }
  }
}

/** How far the rounds of each row's first figure differ: its range divided by its median. */
function spreads(rows: readonly Row[], results: Results): { name: string; spread: number }[] {
  return rows.flatMap(({ name: row, columns: [column] }) =>
    [...(results.get(row) ?? [])].flatMap(([contestant, rounds]) => {
      const values = rounds.map((figures) => figures[column?.figure ?? ''] ?? Number.NaN).filter(Number.isFinite)
      if (values.length < 2) return []
      const spread = (Math.max(...values) - Math.min(...values)) / Math.abs(median(values))
      return [{ name: `${row}, ${contestant}`, spread }]
    }),
  )
}

/** The noise of a run, in a sentence. */
export function renderNoise(rows: readonly Row[], results: Results, { total, others }: MachineUse): string {
  const said = [`other programs took ${percent(others / total)} of the machine`]
  const all = spreads(rows, results).sort((a, b) => b.spread - a.spread)
  const [widest] = all
  if (widest) {
    const usual = percent(median(all.map(({ spread }) => spread)))
    said.push(
      `the rounds of a figure differ by ${usual} (median), at most by ${percent(widest.spread)} (${widest.name})`,
    )
  }
  return `Noise: ${said.join('; ')}.`
}

const percent = (share: number) => `${format(Math.round(share * 1_000) / 10)} %`

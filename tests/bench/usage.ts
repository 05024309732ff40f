/** What processes use, as Linux counts it. */
import { readdirSync, readFileSync } from 'node:fs'

/** Ticks of the clock that `/proc` counts in: a second's worth, on every Linux. */
const TICKS = 100

/** A process and all that it has started. */
export function processTree(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc')) {
    const parent = /^[0-9]+$/.test(name) && Number(fieldsOf(Number(name))?.[1])
    if (parent) children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const all = [pid]
  for (const one of all) all.push(...(children.get(one) ?? []))
  return all
}

/** The fields of `/proc/PID/stat` after the name, which may hold spaces; nothing when the process is gone. */
function fieldsOf(pid: number): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ')
  } catch {
    return undefined
  }
}

/** CPU time that a process and its children have used, in the kernel and outside: seconds. */
export function cpuSeconds(pid: number): number {
  let ticks = 0
  for (const one of processTree(pid)) {
    const fields = fieldsOf(one)
    ticks += Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0)
  }
  return ticks / TICKS
}

/** Memory that a process and its children hold, what they share counted once: KiB. */
export function residentKib(pid: number): number {
  let kib = 0
  for (const one of processTree(pid)) {
    const pss = /^Pss:\s+([0-9]+) kB$/m.exec(readFileSync(`/proc/${one}/smaps_rollup`, 'latin1'))
    kib += Number(pss?.[1] ?? 0)
  }
  return kib
}

/** Memory that the kernel holds for all of the machine's sockets and the like: KiB. */
export function kernelKib(): number {
  return Number(/^Slab:\s+([0-9]+) kB$/m.exec(readFileSync('/proc/meminfo', 'latin1'))?.[1])
}

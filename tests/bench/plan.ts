/** What Milepost costs, as it was measured. */
export interface Costs {
  /** An event of a job that is watched: CPU-µs for itself, and for each watcher. */
  eventCpu: number
  deliveryCpu: number
  /** A watcher that connects: CPU-µs. */
  connectCpu: number
  /** Memory for a watcher with nothing to do, in the process and in the kernel, and for a job that is watched: KiB. */
  watcherKib: number
  kernelKib: number
  jobKib: number
  /** An event on its way to a watcher: bytes. */
  eventBytes: number
}

/** A ping is a delivery, each so many seconds; a stream lives so long, and then its watcher connects again. */
const [PING_SECONDS, STREAM_SECONDS] = [30, 900]

/** One process, which one core runs, and what of it is not held back for peaks. */
const NODE = { gib: 4, sockets: 1_000_000, cpuShare: 0.6, memoryShare: 0.75 }

/** Of the ports of one address a proxy can use these, each for a connection to the same address and port. */
const PORTS = 64_511

/** An assumption, and no offer of anybody: dollars a month. */
const PRICES = { core: 15, gib: 2.5, terabyte: 10 }

const SECONDS_A_MONTH = 30 * 86_400
const KIB_A_GIB = 1024 ** 2

/** So many people, so many of whom watch the same job, and how often something happens there. */
interface Load {
  watchers: number
  watchersAJob: number
  eventsPerSecond: number
}

const LOADS: readonly Load[] = [1_000_000, 10_000_000].flatMap((watchers) =>
  [1, 100].map((watchersAJob) => ({ watchers, watchersAJob, eventsPerSecond: 1 })),
)

/** What it takes to serve a load. */
export interface Needs {
  /** Events that are published: a second. */
  published: number
  /** CPU of a watcher: µs a second. Memory of one, its part of the job included: KiB. */
  watcherCpu: number
  watcherKib: number
  /** Nodes, if there were nothing else to run out of; and all in all. */
  nodesByCpu: number
  nodesByMemory: number
  nodesBySockets: number
  nodes: number
  socketsANode: number
  /** Addresses of a proxy in front of each node. */
  addressesANode: number
  /** To watchers: GB a second. */
  gigabytes: number
  /** Dollars a month, for machines and for traffic. */
  machines: number
  traffic: number
}

/** CPU of a watcher to whom nothing happens: µs a second. */
export function idleCpu({ deliveryCpu, connectCpu }: Costs): number {
  return deliveryCpu / PING_SECONDS + connectCpu / STREAM_SECONDS
}

export function needsOf(costs: Costs, { watchers, watchersAJob, eventsPerSecond }: Load): Needs {
  const published = (watchers / watchersAJob) * eventsPerSecond
  const watcherCpu = (costs.eventCpu / watchersAJob + costs.deliveryCpu) * eventsPerSecond + idleCpu(costs)
  const watcherKib = costs.watcherKib + costs.kernelKib + costs.jobKib / watchersAJob
  const nodesByCpu = Math.ceil((watchers * watcherCpu) / 1e6 / NODE.cpuShare)
  const nodesByMemory = Math.ceil((watchers * watcherKib) / KIB_A_GIB / NODE.gib / NODE.memoryShare)
  const nodesBySockets = Math.ceil(watchers / NODE.sockets)
  const nodes = Math.max(nodesByCpu, nodesByMemory, nodesBySockets)
  const socketsANode = Math.ceil(watchers / nodes)
  const gigabytes = (watchers * eventsPerSecond * costs.eventBytes) / 1e9
  return {
    published,
    watcherCpu,
    watcherKib,
    nodesByCpu,
    nodesByMemory,
    nodesBySockets,
    nodes,
    socketsANode,
    addressesANode: Math.ceil(socketsANode / PORTS),
    gigabytes,
    machines: nodes * (PRICES.core + NODE.gib * PRICES.gib),
    traffic: ((gigabytes * SECONDS_A_MONTH) / 1_000) * PRICES.terabyte,
  }
}

/** The way to millions of watchers, with its arithmetic: what goes in, what comes out. */
export function renderPlan(costs: Costs): string {
  const of = LOADS.map((load) => ({ load, needs: needsOf(costs, load) }))
  const line = (label: string, value: (needs: Needs) => number) =>
    `| ${label} | ${of.map(({ needs }) => round(value(needs))).join(' | ')} |`
  const heads = of.map(({ load }) => `${round(load.watchers)} watchers, ${load.watchersAJob} a job`)
  return [
    `A node is one process on one core, with ${NODE.gib} GiB and ${round(NODE.sockets)} file descriptors; ${percent(NODE.cpuShare)} of its core and ${percent(NODE.memoryShare)} of its memory are planned with. Each watcher sees ${LOADS[0]?.eventsPerSecond} event/s.`,
    `A watcher costs ${round(costs.eventCpu)} ÷ watchers a job + ${round(costs.deliveryCpu)} CPU-µs an event, and ${round(idleCpu(costs))} CPU-µs a second when nothing happens (a ping each ${PING_SECONDS} s, ${round(costs.deliveryCpu)}; a connect each ${STREAM_SECONDS} s, ${round(costs.connectCpu)}). It takes ${round(costs.watcherKib)} KiB of the process, ${round(costs.kernelKib)} of the kernel, and ${round(costs.jobKib)} ÷ watchers a job for its job.`,
    `Assumed, and no offer of anybody: ${PRICES.core} USD a core and ${PRICES.gib} USD a GiB a month, ${PRICES.terabyte} USD a TB of traffic. Jobs are sharded by id over the nodes, each with a SQLite file of its own.`,
    [
      `| | ${heads.join(' | ')} |`,
      `| --- |${' ---: |'.repeat(heads.length)}`,
      line('events published/s', ({ published }) => published),
      line('CPU-µs a watcher a second', ({ watcherCpu }) => watcherCpu),
      line('KiB a watcher', ({ watcherKib }) => watcherKib),
      line('nodes, by CPU', ({ nodesByCpu }) => nodesByCpu),
      line('nodes, by memory', ({ nodesByMemory }) => nodesByMemory),
      line('nodes, by file descriptors', ({ nodesBySockets }) => nodesBySockets),
      line('**nodes**', ({ nodes }) => nodes),
      line('sockets a node', ({ socketsANode }) => socketsANode),
      line(`addresses of a proxy a node, ${round(PORTS)} ports each`, ({ addressesANode }) => addressesANode),
      line('GB/s to watchers', ({ gigabytes }) => gigabytes),
      line('USD a month, nodes', ({ machines }) => machines),
      line('USD a month, traffic', ({ traffic }) => traffic),
    ].join('\n'),
  ].join('\n\n')
}

const percent = (share: number) => `${Math.round(share * 100)} %`

/** To two places where it is small, to three where it is large: a plan is no more exact. */
function round(value: number): string {
  return value < 100 ? `${Number(value.toPrecision(2))}` : Number(value.toPrecision(3)).toLocaleString('en')
}

/** Slots of a cluster (Redis Cluster specification). */
const SLOTS = 16_384

/** Hash tags of the partitions of a cluster: the slot of each is in the middle of its 64th of all slots. */
const CLUSTER_TAGS = (
  '53t j3j if5 kec 574 74b akm 6bk 96a frw 0ip oin d1i 38o 0m0 2nf he6 box 40w c9q hav 7ah ' +
  '447 67a 1js fcu 0xr gqt 1n3 3me e2j gu4 712 52d cmk 4dm 75r h5l 7av ice 3y7 1za 2k6 8ax ' +
  'wu7 931 2ov 8e8 7d8 5gn 621 41g jc0 qkn 66q i6o 3h5 1kc 2z4 0yb 3lu des o94 802'
).split(' ')
/** A server that is no cluster has one partition: counts and lists are then exact. */
const SINGLE_TAGS = ['all']

/** A share of the jobs, whose keys have one hash tag and so are in one slot. */
export interface Partition {
  readonly index: number
  readonly tag: string
  readonly slot: number
}

const partitionsOf = (tags: readonly string[]): Partition[] =>
  tags.map((tag, index) => ({ index, tag, slot: slotOf(tag) }))

/** The partitions of a store. */
export function partitionsFor(isCluster: boolean): Partition[] {
  return partitionsOf(isCluster ? CLUSTER_TAGS : SINGLE_TAGS)
}

/** The number of the partition of a job, of `count`: FNV-1a of its id. */
export function partitionIndex(id: string, count: number): number {
  if (count === 1) return 0
  let hash = 0x811c9dc5
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193)
  return (hash >>> 0) % count
}

/** The slot of a hash tag: CRC-16/XMODEM of its ASCII characters. */
export function slotOf(tag: string): number {
  let crc = 0
  for (let at = 0; at < tag.length; at++) {
    crc ^= tag.charCodeAt(at) << 8
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff
  }
  return crc % SLOTS
}

import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'

/** Bytes before the first frame of a WAL, and before the page in each frame (sqlite.org/fileformat2.html, 4.1). */
const WAL_HEAD = 32
const FRAME_HEAD = 24
/** The start of every WAL; one more if its checksums read words as big-endian. */
const WAL_MAGIC = 0x377f0682

/** Two copies of the index header, then the checkpoint information (sqlite.org/walformat.html, 2.1). */
const INDEX_HEAD = 48
const INDEX_BYTES = 136
/** Readings of an index that another program is changing. Each takes microseconds. */
const READINGS = 100

/** State of a WAL. */
export interface WalState {
  /** Committed frames. */
  frames: number
  /** Frames that checkpoints have copied into the database. */
  copied: number
  /** The same, including a checkpoint that is running or was killed: it may have copied some of them. */
  attempted: number
  /** Pages of the database. */
  pages: number
  /** Bytes. */
  pageSize: number
  /** Incremented, modulo 2^32, when the WAL is overwritten from its beginning. */
  restarts: number
}

/** First and last frame of a page. */
export interface FrameRange {
  first: number
  last: number
}

/**
 * Reads a WAL and SQLite's index of it. Its descriptors stay open until SQLite has closed the database: closing one would release SQLite's
 * locks (sqlite.org/howtocorrupt.html, 2.2).
 */
export class WalIndex {
  readonly #index: number
  readonly #wal: number
  readonly #bytes = Buffer.alloc(INDEX_BYTES)

  /** @param file a database that is open and was read from, so that its WAL and the index exist */
  constructor(file: string) {
    this.#index = openSync(`${file}-shm`, 'r')
    this.#wal = openSync(`${file}-wal`, 'r')
  }

  read(): WalState {
    const bytes = this.#bytes
    // The copies differ while another program writes them.
    for (let count = 0; count < READINGS; count++) {
      readSync(this.#index, bytes, 0, INDEX_BYTES, 0)
      if (bytes.compare(bytes, INDEX_HEAD, 2 * INDEX_HEAD, 0, INDEX_HEAD) === 0) break
    }
    const size = bytes.readUInt16LE(14)
    return {
      frames: bytes.readUInt32LE(16),
      copied: bytes.readUInt32LE(96),
      attempted: bytes.readUInt32LE(128),
      pages: bytes.readUInt32LE(20),
      pageSize: size === 1 ? 65_536 : size,
      restarts: bytes.readUInt32BE(32),
    }
  }

  /** Whether the WAL file ends before its last committed frame. */
  isShort({ frames, pageSize }: WalState): boolean {
    return frames > 0 && fstatSync(this.#wal).size < WAL_HEAD + frames * (FRAME_HEAD + pageSize)
  }

  /** The frames of each page. Reads the heads of all frames. */
  ranges(state: WalState): Map<number, FrameRange> {
    const ranges = new Map<number, FrameRange>()
    for (let frame = 1; frame <= state.frames; frame++) {
      const { page } = this.#head(frame, state)
      const known = ranges.get(page)
      if (known) known.last = frame
      else ranges.set(page, { first: frame, last: frame })
    }
    return ranges
  }

  /** Pages that the last transaction wrote, `most` at most. */
  lastPages(state: WalState, most: number): number[] {
    const pages: number[] = []
    for (let frame = state.frames; frame > 0 && pages.length < most; frame--) {
      const { page, isLast } = this.#head(frame, state)
      if (isLast && frame < state.frames) break
      pages.push(page)
    }
    return pages
  }

  /** The page of a frame, counted from 1, and whether it is the last of its transaction. */
  #head(frame: number, { pageSize }: WalState): { page: number; isLast: boolean } {
    const head = Buffer.alloc(8)
    readSync(this.#wal, head, 0, 8, offsetOf(frame, pageSize))
    return { page: head.readUInt32BE(0), isLast: head.readUInt32BE(4) > 0 }
  }

  /** The page in a frame. */
  content(frame: number, { pageSize }: WalState): Uint8Array {
    return readAt(this.#wal, offsetOf(frame, pageSize) + FRAME_HEAD, pageSize)
  }

  /** Call it after SQLite has closed the database. */
  close(): void {
    closeSync(this.#index)
    closeSync(this.#wal)
  }
}

/**
 * The pages that SQLite will apply from the WAL of a database that is not open, and how many the database has with them: `undefined`
 * without a commit in the WAL. As in recovery, the first frame whose checksum does not match ends it: a power cut may leave
 * frames of a commit that was rolled back behind those that overwrote its beginning (sqlite.org/fileformat2.html, 4.1).
 */
export function pagesInWal(file: string): { pages: ReadonlySet<number>; count: number | undefined } {
  const pages = new Set<number>()
  let count: number | undefined
  if (!existsSync(`${file}-wal`)) return { pages, count }
  const fd = openSync(`${file}-wal`, 'r')
  try {
    const head = Buffer.alloc(WAL_HEAD)
    const checksum = new WalChecksum(head, readSync(fd, head, 0, WAL_HEAD, 0))
    const size = FRAME_HEAD + head.readUInt32BE(8)
    const frame = Buffer.alloc(checksum.isValid ? size : 0)
    let pending: number[] = []
    for (let at = WAL_HEAD; checksum.isValid && readSync(fd, frame, 0, size, at) === size; at += size) {
      // Frames with other salts are left from before the WAL was last overwritten.
      if (frame.compare(head, 16, 24, 8, 16) !== 0 || !checksum.takes(frame)) break
      pending.push(frame.readUInt32BE(0))
      const committed = frame.readUInt32BE(4)
      if (committed === 0) continue
      count = committed
      for (const page of pending) pages.add(page)
      pending = []
    }
    return { pages, count }
  } finally {
    closeSync(fd)
  }
}

/** The checksum of a WAL, which each frame continues (sqlite.org/fileformat2.html, 4.2). */
class WalChecksum {
  /** Whether the head of the WAL is whole. */
  readonly isValid: boolean
  readonly #isLittleEndian: boolean
  #first = 0
  #second = 0

  /** @param length bytes of the head that were read */
  constructor(head: Buffer, length: number) {
    const magic = head.readUInt32BE(0)
    this.#isLittleEndian = magic === WAL_MAGIC
    const pageSize = head.readUInt32BE(8)
    const isWal = length === WAL_HEAD && (magic & ~1) === WAL_MAGIC
    const isPageSize = pageSize >= 512 && pageSize <= 65_536 && (pageSize & (pageSize - 1)) === 0
    this.#add(head, 0, 24)
    this.isValid = isWal && isPageSize && this.#is(head, 24)
  }

  /** Whether a frame is the next one. */
  takes(frame: Buffer): boolean {
    this.#add(frame, 0, 8)
    this.#add(frame, FRAME_HEAD, frame.length)
    return this.#is(frame, 16)
  }

  #add(bytes: Buffer, from: number, to: number): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    let [first, second] = [this.#first, this.#second]
    for (let at = from; at < to; at += 8) {
      first = (first + view.getUint32(at, this.#isLittleEndian) + second) >>> 0
      second = (second + view.getUint32(at + 4, this.#isLittleEndian) + first) >>> 0
    }
    this.#first = first
    this.#second = second
  }

  #is(bytes: Buffer, at: number): boolean {
    return bytes.readUInt32BE(at) === this.#first && bytes.readUInt32BE(at + 4) === this.#second
  }
}

/** Reads a page, or as much of it as the file has. */
export function readAt(fd: number, offset: number, pageSize: number): Uint8Array {
  const page = new Uint8Array(pageSize)
  return page.subarray(0, readSync(fd, page, 0, pageSize, offset))
}

const offsetOf = (frame: number, pageSize: number) => WAL_HEAD + (frame - 1) * (FRAME_HEAD + pageSize)

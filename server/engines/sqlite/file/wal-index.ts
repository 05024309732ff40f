import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'

/** Bytes before the first frame of a WAL, and before the page in each frame (sqlite.org/fileformat2.html, 4.1). */
const WAL_HEAD = 32
const FRAME_HEAD = 24

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
 * The pages in the WAL of a database that is not open, and how many the database has with them: `undefined` without a commit in the WAL.
 * Checksums are not compared, so frames that SQLite will not apply may count too.
 */
export function pagesInWal(file: string): { pages: ReadonlySet<number>; count: number | undefined } {
  const pages = new Set<number>()
  let count: number | undefined
  if (!existsSync(`${file}-wal`)) return { pages, count }
  const fd = openSync(`${file}-wal`, 'r')
  try {
    const head = Buffer.alloc(WAL_HEAD)
    const frame = Buffer.alloc(FRAME_HEAD)
    const isWhole = readSync(fd, head, 0, WAL_HEAD, 0) === WAL_HEAD
    const size = FRAME_HEAD + head.readUInt32BE(8)
    for (let at = WAL_HEAD; isWhole && readSync(fd, frame, 0, FRAME_HEAD, at) === FRAME_HEAD; at += size) {
      // Frames with other salts are left from before the WAL was last overwritten.
      if (frame.compare(head, 16, 24, 8, 16) !== 0) break
      pages.add(frame.readUInt32BE(0))
      count = frame.readUInt32BE(4) || count
    }
    return { pages, count }
  } finally {
    closeSync(fd)
  }
}

/** Reads a page, or as much of it as the file has. */
export function readAt(fd: number, offset: number, pageSize: number): Uint8Array {
  const page = new Uint8Array(pageSize)
  return page.subarray(0, readSync(fd, page, 0, pageSize, offset))
}

const offsetOf = (frame: number, pageSize: number) => WAL_HEAD + (frame - 1) * (FRAME_HEAD + pageSize)

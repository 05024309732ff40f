import { readFile } from 'node:fs/promises'
import type { SampleFile, Samples } from '../../services/kit/samples.ts'

/** Of so many texts, one is in the target of the copy from the start. */
const PRESENT_EVERY = 5

/**
 * Makes the samples of the services from the files in `samples/`, which are part of the sources: two books, a chapter or a poem a file, and
 * two lists of the world's countries, of which one in eight has another name in each.
 */
export async function collectSamples(): Promise<Samples> {
  const alice = split('Alice in Wonderland', await readSample('alice.txt'))
  const texts = spread(alice, split('Sonnets', await readSample('sonnets.txt')))
  return {
    texts,
    present: texts.filter((_, place) => place % PRESENT_EVERY === 1).map(({ path }) => path),
    lists: {
      left: { path: 'countries.csv', text: await readSample('countries.csv') },
      right: { path: 'iso-3166.csv', text: await readSample('iso-3166.csv') },
    },
  }
}

function readSample(name: string): Promise<string> {
  return readFile(new URL(`samples/${name}`, import.meta.url), 'utf8')
}

/** The parts of a book as files. A line that begins with `# ` is the title of the part below. */
function split(book: string, text: string): SampleFile[] {
  const parts = text.split(/^# /m).slice(1)
  const digits = `${parts.length}`.length
  return parts.map((part, place) => {
    const end = part.indexOf('\n')
    // What file systems refuse in a name.
    const title = part.slice(0, end).replace(/[?:]/g, '')
    const number = `${place + 1}`.padStart(digits, '0')
    return { path: `${book}/${number} ${title}.txt`, text: part.slice(end).trim().concat('\n') }
  })
}

/** Few files evenly among many: the few are large, and those who watch are to see one pace. */
function spread(few: readonly SampleFile[], many: readonly SampleFile[]): SampleFile[] {
  const each = Math.ceil(many.length / few.length)
  return few.flatMap((file, place) => [file, ...many.slice(place * each, (place + 1) * each)])
}

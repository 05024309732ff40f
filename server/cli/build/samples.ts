import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { SampleFile, Samples } from '../../services/kit/samples.ts'
import { formatCsv } from '../../services/matching/csv.ts'

/** Packages whose sources make up the tree to copy. */
const PACKAGES = ['preact', 'hono', '@preact/signals', '@preact/signals-core']
/** What of a package is taken: what people wrote or read, not what was built for machines. */
const SOURCES = /^(README|LICENSE|CHANGELOG|package\.json)|(^|\/)src\/|^dist\/types\//
/** Of so many files of the tree, one is in the target from the start. */
const PRESENT_EVERY = 5
/** What packages have to read for people. */
const PROSE = /^(README|LICEN[CS]E|CHANGELOG)[^/]*$/i
/** Characters of each sample: they may be embedded in a program. */
const MOST_TEXT = { sources: 800_000, prose: 400_000 }

/**
 * Makes samples for the services from the packages that this project is built with: sources to copy, prose to analyse, and two lists of
 * the world's countries, of which one in eight has another name in each. What is not installed is left out.
 *
 * @param nodeModules the folder where packages are
 */
export async function collectSamples(nodeModules: string): Promise<Samples> {
  const samples: Samples = {}
  const sources = await readSources(nodeModules)
  if (sources.length > 0) {
    const present = sources.filter((_, place) => place % PRESENT_EVERY === 0)
    samples.sync = { files: sources, present: present.map(({ path }) => path) }
  }
  const prose = await readProse(nodeModules)
  if (prose.length > 0) samples.analysis = prose
  const matching = await readCountries(nodeModules).catch(() => undefined)
  if (matching) samples.matching = matching
  return samples
}

async function readSources(nodeModules: string): Promise<SampleFile[]> {
  const paths: string[] = []
  for (const name of PACKAGES) {
    const options = { recursive: true, withFileTypes: true } as const
    const entries = await readdir(join(nodeModules, name), options).catch(() => [])
    const files = entries.filter((entry) => entry.isFile())
    for (const path of files
      .map((file) => relative(join(nodeModules, name), join(file.parentPath, file.name)))
      .sort()) {
      if (SOURCES.test(path)) paths.push(`${name}/${path}`)
    }
  }
  return readAll(nodeModules, paths, MOST_TEXT.sources)
}

async function readProse(nodeModules: string): Promise<SampleFile[]> {
  const paths: string[] = []
  for (const name of await listPackages(nodeModules)) {
    const files = await readdir(join(nodeModules, name)).catch(() => [])
    for (const file of files.sort()) if (PROSE.test(file)) paths.push(`${name}/${file}`)
  }
  return readAll(nodeModules, paths, MOST_TEXT.prose)
}

/** Files, as many as fit. */
async function readAll(nodeModules: string, paths: readonly string[], most: number): Promise<SampleFile[]> {
  const files: SampleFile[] = []
  let room = most
  for (const path of paths) {
    const text = await readFile(join(nodeModules, path), 'utf8').catch(() => undefined)
    if (text === undefined || text.length > room) continue
    room -= text.length
    files.push({ path, text })
  }
  return files
}

/** The names of the packages that are installed. */
async function listPackages(nodeModules: string): Promise<string[]> {
  const names: string[] = []
  for (const name of (await readdir(nodeModules).catch(() => [])).sort()) {
    if (name.startsWith('@')) {
      for (const inner of (await readdir(join(nodeModules, name))).sort()) names.push(`${name}/${inner}`)
    } else if (!name.startsWith('.')) names.push(name)
  }
  return names
}

/** The countries as two packages name them. */
async function readCountries(nodeModules: string): Promise<Samples['matching']> {
  const left = await readFile(join(nodeModules, 'countries-list/countries.csv'), 'utf8')
  const names = JSON.parse(await readFile(join(nodeModules, 'i18n-iso-countries/langs/en.json'), 'utf8'))
  const rows = Object.entries<string | string[]>(names.countries).map(([code, name]) => [code, [name].flat()[0] ?? ''])
  return {
    left: { path: 'countries-list.csv', text: left },
    right: { path: 'iso-countries.csv', text: formatCsv([['code', 'name'], ...rows]) },
  }
}

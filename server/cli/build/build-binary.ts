/** Builds `dist/milepost` for this platform, and reports what it costs: `bun server/cli/build/build-binary.ts`. */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'bun'

const STARTS = 5

const root = fileURLToPath(new URL('../../../', import.meta.url))
const binary = join(root, 'dist/milepost')

const { success, logs } = await Bun.build({
  // The thread that writes is a module of its own: see WriterThread, which knows where a binary has it.
  entrypoints: [join(root, 'server/cli/main.ts'), join(root, 'server/engines/sqlite/worker.ts')],
  root,
  // By default a binary obeys files of the folder that it is called from: bunfig.toml has it run code, .env sets the secret.
  compile: {
    outfile: binary,
    autoloadBunfig: false,
    autoloadDotenv: false,
    autoloadTsconfig: false,
    autoloadPackageJson: false,
  },
  minify: true,
  format: 'esm',
  bytecode: true,
  define: { 'process.env.NODE_ENV': '"production"' },
})
if (!success) throw new AggregateError(logs, 'The binary could not be built')

const starts = await Array.fromAsync({ length: STARTS }, measureStart)
const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`

console.table({
  file: binary,
  size: megabytes((await stat(binary)).size),
  'size, gzip': megabytes(gzipSync(await readFile(binary)).length),
  'first answer after': `${median(starts.map(({ ms }) => ms)).toFixed(0)} ms`,
  'memory when idle': megabytes(median(starts.map(({ bytes }) => bytes))),
})

/** From the start of the process to its first answer, and what is resident then: the median of several starts is worth something. */
async function measureStart(): Promise<{ ms: number; bytes: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'milepost-binary-'))
  const env = { PORT: '0', MILEPOST_ENGINE: `sqlite:${join(folder, 'jobs.db')}` }
  const begun = performance.now()
  const server = Bun.spawn([binary, 'serve'], { env, stdout: 'pipe' })
  try {
    const { value } = await server.stdout.getReader().read()
    const url = /http:\S+/.exec(new TextDecoder().decode(value))?.[0]
    const { ok } = await fetch(`${url}healthz`)
    if (!ok) throw new Error('The binary does not answer')
    const ms = performance.now() - begun
    await Bun.sleep(500)
    const status = await readFile(`/proc/${server.pid}/status`, 'utf8')
    return { ms, bytes: Number(/VmRSS:\s+([0-9]+)/.exec(status)?.[1]) * 1024 }
  } finally {
    server.kill()
    await server.exited
    await rm(folder, { recursive: true })
  }
}

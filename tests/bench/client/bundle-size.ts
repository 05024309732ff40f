import { bundle } from '../../../server/cli/bundle.ts'

/** What a page loads to show a job. */
export interface BundleSize {
  name: string
  /** On the wire, with gzip at its best. */
  bytes: number
}

/**
 * What it costs a page to show one job as a bar: our element, as `/widget.js` is served, beside React and TanStack Query. Both are made
 * by the same bundler with the same settings.
 */
export async function bundleSizes(): Promise<BundleSize[]> {
  const entries = {
    '<job-progress>': 'client/define.ts',
    'React + TanStack Query': 'tests/bench/client/react-progress.jsx',
  }
  return Promise.all(
    Object.entries(entries).map(async ([name, entrypoint]) => {
      const text = await bundle(entrypoint)
      return { name, bytes: Bun.gzipSync(Buffer.from(text), { level: 9 }).length }
    }),
  )
}

if (import.meta.main) {
  const sizes = await bundleSizes()
  const least = Math.min(...sizes.map(({ bytes }) => bytes))
  for (const { name, bytes } of sizes) {
    console.log(`${name.padEnd(24)} ${bytes.toLocaleString('en').padStart(7)} B gzip  ${(bytes / least).toFixed(1)} ×`)
  }
}

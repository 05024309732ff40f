import { bundle } from '../../../server/cli/build/bundle.ts'
import type { Contestant } from '../row.ts'

/**
 * What a page loads to show one job as a bar: our element, as `/widget.js` is served, beside React and TanStack Query. Both are made by the
 * same bundler with the same settings. The figure is `bytes` on the wire, with gzip at its best.
 */
export const bundles: readonly Contestant[] = [
  weighed('widget.js', 'client/element/define.ts'),
  weighed('React + TanStack Query', 'tests/bench/client/react-progress.jsx'),
]

function weighed(name: string, entrypoint: string): Contestant {
  return {
    name,
    missing: () => undefined,
    async measure() {
      return { bytes: Bun.gzipSync(Buffer.from(await bundle(entrypoint)), { level: 9 }).length }
    },
  }
}

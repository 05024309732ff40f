import { fileURLToPath } from 'node:url'

/**
 * The bundle of an entry of the client, as it is served: one module, for browsers.
 *
 * @param entrypoint from the top of the repository: `client/element/define.ts`
 * @throws AggregateError when it can't be built
 */
export async function bundle(entrypoint: string): Promise<string> {
  const { outputs } = await Bun.build({
    entrypoints: [fileURLToPath(new URL(`../../../${entrypoint}`, import.meta.url))],
    target: 'browser',
    minify: true,
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [{ name: 'styles', setup: (build) => void build.onLoad({ filter: /-styles\.ts$/ }, shortenStyles) }],
  })
  const [output] = outputs
  if (!output) throw new Error(`${entrypoint} gave no output`)
  return output.text()
}

/** A module whose template strings are style sheets, without the space that nobody reads but people. */
async function shortenStyles({ path }: { path: string }): Promise<{ contents: string; loader: 'ts' }> {
  const text = await Bun.file(path).text()
  return { contents: text.replace(/`\n[^`]+`/g, shorten), loader: 'ts' }
}

/** A space before a colon makes a selector another one; all others around punctuation say nothing. */
const shorten = (styles: string) =>
  styles
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([{};,]) ?/g, '$1')
    .replaceAll(': ', ':')
    .replaceAll(';}', '}')

import { fileURLToPath } from 'node:url'
import { minify } from 'vite'

/**
 * Bundles an entry of the client into one minified module for browsers.
 *
 * Bun puts the modules together. Oxc, the minifier of Vite, then makes the module about 2 % smaller than Bun alone.
 *
 * @param entrypoint relative to the repository's root: `client/element/define.ts`
 * @throws AggregateError when the build fails
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
  const { code, errors } = await minify(entrypoint, await output.text(), { module: true })
  if (errors.length > 0) throw new AggregateError(errors, `${entrypoint} can't be minified`)
  return code
}

async function shortenStyles({ path }: { path: string }): Promise<{ contents: string; loader: 'ts' }> {
  return { contents: withShortStyles(await Bun.file(path).text()), loader: 'ts' }
}

/** A module with the style sheets in its template strings minified. */
export const withShortStyles = (module: string): string => module.replace(/`\n[^`]+`/g, shorten)

/** Removes spaces around punctuation, except before a colon, where a space changes the selector. */
const shorten = (styles: string) =>
  styles
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([{};,]) ?/g, '$1')
    .replaceAll(': ', ':')
    .replaceAll(';}', '}')

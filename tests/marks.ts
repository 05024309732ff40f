/**
 * The text of a document with something new between the marks of a name.
 *
 * @param name of the marks: `<!-- name -->` and `<!-- /name -->`, each on a line of its own
 * @throws Error when the marks are not there, once each
 */
export function placeBetween(document: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const [before = '', rest, ...more] = document.split(begin)
  const [, after, ...others] = rest?.split(end) ?? []
  if (after === undefined || more.length + others.length > 0) throw new Error(`Not once each: ${begin} and ${end}`)
  return `${before}${begin}\n\n${text}\n\n${end}${after}`
}

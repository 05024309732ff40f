import { Marked, type Tokens } from 'marked'
import type { DocPage, Docs } from '../../http/pages/docs.ts'

/** The pages in the order of their navigation, by the names of their files in `server/docs`. */
const names = ['index', 'app', 'wire', 'errors', 'settings', 'running', 'engines']

/**
 * Turns the users' documents into HTML.
 *
 * @param folder of the Markdown files, with a slash at its end
 * @throws Error for Markdown that a page may not hold: raw HTML, an image, or a link to a file that is no page
 */
export async function buildDocs(folder: URL): Promise<Docs> {
  const pages = names.map(async (name) => toPage(name, await Bun.file(new URL(`${name}.md`, folder)).text()))
  return Promise.all(pages)
}

/** The page of a document: its title is the first line, a heading of level 1. */
export function toPage(name: string, markdown: string): DocPage {
  const path = pathOf(name)
  const sections: DocPage['sections'][number][] = []
  let title = ''
  /** The heading that stands above what is rendered, and the regions below it: each region has a name of its own. */
  let heading = ''
  let regions = 0
  const region = (kind: string, className: string, html: string) => {
    regions += 1
    const label = escapeHtml(`${heading}: ${kind} ${regions}`)
    // A region that scrolls and holds nothing to be focused needs a stop for the keyboard (WCAG 2.1.1).
    return `<section class="${className}" aria-label="${label}" tabindex="0">${html}</section>\n`
  }
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }: Tokens.Heading) {
        heading = plain(text)
        regions = 0
        if (depth === 1) title = heading
        const id = slugOf(heading)
        if (depth === 2) sections.push({ id, title: heading })
        return `<h${depth} id="${id}">${this.parser.parseInline(tokens)}</h${depth}>\n`
      },
      code({ text }: Tokens.Code) {
        return `<div class="code">${region('example', 'code-text', `<pre class="mono" dir="ltr">${escapeHtml(text)}</pre>`)}</div>\n`
      },
      table(token: Tokens.Table) {
        const cells = (row: Tokens.TableCell[], isHead: boolean) =>
          row
            .map(({ tokens }, column) => {
              const html = this.parser.parseInline(tokens)
              if (isHead) return html === '' ? '<td></td>' : `<th scope="col">${html}</th>`
              return column === 0 ? `<th scope="row">${html}</th>` : `<td>${html}</td>`
            })
            .join('')
        const rows = token.rows.map((row) => `<tr>${cells(row, false)}</tr>`).join('\n')
        const head = `<thead><tr>${cells(token.header, true)}</tr></thead>`
        return region('table', 'table', `<table>${head}<tbody>${rows}</tbody></table>`)
      },
      link({ href, tokens }: Tokens.Link) {
        return `<a href="${escapeHtml(addressOf(href, path, name))}">${this.parser.parseInline(tokens)}</a>`
      },
      html({ text }: Tokens.HTML | Tokens.Tag) {
        throw new Error(`server/docs/${name}.md: no raw HTML: ${text}`)
      },
      image({ href }: Tokens.Image) {
        throw new Error(`server/docs/${name}.md: no images: ${href}`)
      },
    },
  })
  const html = marked.parse(markdown, { async: false })
  return { path, title, html, sections }
}

/** Where the server shows a document, relative to where it is mounted. */
const pathOf = (name: string) => (name === 'index' ? 'docs' : `docs/${name}`)

/** A link as it stands in a page, whose addresses are relative to where the server is mounted. */
function addressOf(href: string, path: string, name: string): string {
  if (/^https?:/.test(href)) return href
  const [, file, hash = ''] = /^(?:(\w+)\.md)?(#.+)?$/.exec(href) ?? []
  if (file === undefined && hash !== '') return path + hash
  if (file !== undefined && names.includes(file)) return pathOf(file) + hash
  throw new Error(`server/docs/${name}.md: ${href} is no page`)
}

/** The anchor of a heading, as code hosts make it. */
export function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .replaceAll(' ', '-')
}

/** The words of a heading without the marks of Markdown. */
const plain = (text: string) => text.replaceAll(/[`*]/g, '')

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escapeHtml = (text: string) => text.replaceAll(/[&<>"]/g, (character) => entities[character] ?? character)

import { Marked, type Tokens } from 'marked'
import type { DocPage, Docs } from '../../http/pages/docs.ts'

/** File names in `server/docs`, in the order of the navigation. */
const names = [
  'index',
  'app',
  'frameworks',
  'styling',
  'shell',
  'languages',
  'wire',
  'reporting',
  'webhooks',
  'errors',
  'settings',
  'running',
  'engines',
]

/**
 * Turns the users' documents into HTML.
 *
 * @param folder of the Markdown files, ending in a slash
 * @throws Error for raw HTML, an image, or a link to anything but a page
 */
export async function buildDocs(folder: URL): Promise<Docs> {
  const pages = names.map(async (name) => toPage(name, await Bun.file(new URL(`${name}.md`, folder)).text()))
  return Promise.all(pages)
}

/** Renders a document as a page. The title is its heading of level 1. */
export function toPage(name: string, markdown: string): DocPage {
  const path = pathOf(name)
  const sections: DocPage['sections'][number][] = []
  let title = ''
  /** The current heading and the number of regions below it, which together give each region a unique label. */
  let heading = ''
  let regions = 0
  const region = (kind: string, className: string, html: string) => {
    regions += 1
    const label = escapeHtml(`${heading}: ${kind} ${regions}`)
    // A scrolling region without focusable content needs `tabindex` for the keyboard (WCAG 2.1.1).
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

/** Path of a document's page, relative to the base path. */
const pathOf = (name: string) => (name === 'index' ? 'docs' : `docs/${name}`)

/** Rewrites a link of a document for its page, whose links are relative to the base path. */
function addressOf(href: string, path: string, name: string): string {
  if (/^https?:/.test(href)) return href
  const [, file, hash = ''] = /^(?:(\w+)\.md)?(#.+)?$/.exec(href) ?? []
  if (file === undefined && hash !== '') return path + hash
  if (file !== undefined && names.includes(file)) return pathOf(file) + hash
  throw new Error(`server/docs/${name}.md: ${href} is not a page`)
}

/** The anchor of a heading, as on GitHub. */
export function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, '')
    .replaceAll(' ', '-')
}

/** The text of a heading without Markdown markup. */
const plain = (text: string) => text.replaceAll(/[`*]/g, '')

const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escapeHtml = (text: string) => text.replaceAll(/[&<>"]/g, (character) => entities[character] ?? character)

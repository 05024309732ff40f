import type { Context } from 'hono'
import { html, raw } from 'hono/html'
import { type App, linkTo } from '../request/context.ts'
import { forPages, htmlPage } from './html.ts'

/** A page of the documentation, built from Markdown. */
export interface DocPage {
  /** Path relative to the app's mount path: `docs/wire`. */
  path: string
  title: string
  /** From trusted Markdown, with links relative to the app's mount path. */
  html: string
  /** Its headings of level 2. */
  sections: readonly { id: string; title: string }[]
}

/** The pages in the order of the navigation. */
export type Docs = readonly DocPage[]

/** The routes of the documentation, which is public. */
export function docRoutes(app: App, docs: Docs): void {
  const show = (c: Context) => {
    const path = c.req.path.slice(linkTo(c, '/').length)
    const doc = docs.find((candidate) => candidate.path === path)
    if (!doc) return c.notFound()
    return c.html(docPage(linkTo(c, '/'), doc, docs), 200, { 'cache-control': 'public, max-age=0, must-revalidate' })
  }
  app.get('/docs', forPages, show)
  app.get('/docs/:page', forPages, show)
}

/** The logo of the dashboard's header. */
const mark = html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true"><path d="M4 14V2.7m0 .6h6.3L12 5.3l-1.7 2H4" stroke-width="1.7"/></svg>`

const docPage = (base: string, doc: DocPage, docs: Docs) =>
  htmlPage(
    base,
    `${doc.title} – Milepost`,
    html`</head><body>
<a class="skip button" href="${doc.path}#content">Skip to the content</a>
<header class="top"><div class="top-inner">
<a class="mark" href="./">${mark}Milepost</a>
<nav aria-label="Pages"><a href="./">Jobs</a><a href="docs" aria-current="page">Docs</a></nav>
</div></header>
<main class="docs-grid" id="content" tabindex="-1">
<nav class="contents pages" aria-label="Documentation"><ul>
${docs.map((other) => entry(other, other === doc))}<li><a href="docs/api">API reference</a></li>
</ul></nav>
<article class="prose">
${raw(doc.html)}</article>
</main></body>`,
  )

/** A page in the navigation; the current one with its sections. */
const entry = ({ path, title, sections }: DocPage, isShown: boolean) =>
  isShown
    ? html`<li><a href="${path}" aria-current="page">${title}</a>
<ul>${sections.map((section) => html`<li><a href="${path}#${section.id}">${section.title}</a></li>`)}</ul></li>
`
    : html`<li><a href="${path}">${title}</a></li>
`

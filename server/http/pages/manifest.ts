import { type App, linkTo } from '../request/context.ts'
import { forPages } from './html.ts'

const MARK = 'M4 14V2.7m0 .6h6.3L12 5.3l-1.7 2H4'
/** The mark with room around it, which platforms cut to their shape. */
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#3f5bd8" d="M0 0h16v16H0z"/><g transform="translate(3.2 3.2) scale(.6)"><path fill="none" stroke="#fff" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round" d="${MARK}"/></g></svg>`

/** The routes by which browsers offer to install the dashboard as an app. */
export function manifestRoutes(app: App): void {
  const cache = { 'cache-control': 'public, max-age=0, must-revalidate' }
  app.get('/manifest.webmanifest', forPages, (c) => {
    const icon = { src: linkTo(c, '/icon.svg'), type: 'image/svg+xml', sizes: 'any' }
    const manifest = {
      name: 'Milepost',
      short_name: 'Milepost',
      description: 'Live progress of jobs',
      id: linkTo(c, '/'),
      start_url: linkTo(c, '/'),
      scope: linkTo(c, '/'),
      display: 'standalone',
      icons: [
        { ...icon, purpose: 'any' },
        { ...icon, purpose: 'maskable' },
      ],
    }
    return c.body(JSON.stringify(manifest), 200, { 'content-type': 'application/manifest+json', ...cache })
  })
  app.get('/icon.svg', forPages, (c) => c.body(ICON, 200, { 'content-type': 'image/svg+xml', ...cache }))
}

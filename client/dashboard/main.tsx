/** The dashboard's entry: what `/dashboard.js` is made of. */
import { render } from 'preact'
import { useLiveRegion } from '../element/live-region.ts'
import { Dashboard } from './app.tsx'
import { startNavigation } from './navigation.ts'

const root = document.getElementById('app')
if (root) {
  useLiveRegion()
  startNavigation()
  render(<Dashboard />, root)
}

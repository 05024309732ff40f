import { leave, mark } from '../icons.ts'
import { LiveStatus } from './live-status.tsx'
import { base, route } from './navigation.ts'
import { Icon } from './parts/icon.tsx'
import { SearchBox } from './search-box.tsx'
import { text } from './text.ts'

/** What stands above every page: where one is, whether it is live, the search, and the way out. */
export function Header() {
  const { page } = route.value
  return (
    <header class="top">
      <div class="top-inner">
        <a class="mark" href="./">
          <Icon icon={mark} />
          {text.product}
        </a>
        <nav aria-label={text.nav}>
          <a href="./" aria-current={page === 'jobs' ? 'page' : undefined}>
            {text.jobs}
          </a>
          <a href="docs" aria-current={page === 'docs' ? 'page' : undefined}>
            {text.docs}
          </a>
        </nav>
        <LiveStatus />
        <SearchBox />
        <form method="post" action={new URL('sign-out', base).href}>
          <button type="submit" class="quiet" title={text.signOut}>
            <Icon icon={leave} />
            <span class="sign-out">{text.signOut}</span>
          </button>
        </form>
      </div>
    </header>
  )
}

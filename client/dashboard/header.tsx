import { leave, mark } from '../element/icons.ts'
import { LiveStatus } from './live-status.tsx'
import { base, isOperator, isSignedIn, route } from './navigation.ts'
import { PaletteKey } from './palette-key.tsx'
import { Icon } from './parts/icon.tsx'
import { SearchBox } from './search-box.tsx'
import { text } from './text.ts'

/** The header of every page: navigation, connection status, search and sign-out. */
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
          {isOperator && (
            <a href="operator" aria-current={page === 'operator' ? 'page' : undefined}>
              {text.operator}
            </a>
          )}
          <a href="docs" aria-current={page === 'docs' ? 'page' : undefined}>
            {text.docs}
          </a>
        </nav>
        {isSignedIn && (
          <>
            <LiveStatus />
            <SearchBox />
            <PaletteKey />
            <form method="post" action={new URL('sign-out', base).href}>
              <button type="submit" class="quiet" title={text.signOut}>
                <Icon icon={leave} />
                <span class="sign-out">{text.signOut}</span>
              </button>
            </form>
          </>
        )}
      </div>
    </header>
  )
}

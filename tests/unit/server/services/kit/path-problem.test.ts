import { describe, expect, test } from 'bun:test'
import { pathProblem } from '../../../../../server/services/kit/path-problem.ts'

describe('pathProblem', () => {
  test('pathProblem finds nothing wrong with paths that stay inside', () => {
    for (const path of ['a', 'a/b.txt', '...', '..a/b..', ' ', 'ü/日本', 'a\\b'])
      expect(pathProblem(path)).toBeUndefined()
  })

  test('pathProblem tells what leads out or nowhere', () => {
    for (const path of ['', '/', '/etc/passwd', 'a//b', 'a/', '.', '..', './a', '../a', 'a/../../b', 'a/..', 'a\0b']) {
      expect(pathProblem(path)).toBeString()
    }
  })
})

import { describe, expect, test } from 'bun:test'
import { Changes } from '../../../../client/queues/changes.ts'

const any = () => true

describe('Changes', () => {
  test('Changes gives each job once, the oldest change first, and what was heard of it together', () => {
    const changes = new Changes(10)
    changes.add('1', { first: '5-0', newest: '5-0', name: 'Export' })
    changes.add('2', { first: '6-0', newest: '6-0' })
    changes.add('1', { first: '7-0', newest: '7-0', isProgress: true, progress: { done: 3 } })
    expect(changes.take(any)).toEqual({
      id: '1',
      heard: { first: '5-0', newest: '7-0', isProgress: undefined, name: 'Export', progress: { done: 3 } },
    })
    expect(changes.take(any)?.id).toBe('2')
    expect(changes.take(any)).toBeUndefined()
  })

  test('Changes gives no job again before it is done, and then what was heard meanwhile', () => {
    const changes = new Changes(10)
    changes.add('1', { first: '5-0', newest: '5-0' })
    changes.take(any)
    changes.add('1', { first: '6-0', newest: '6-0' })
    expect([changes.take(any), changes.waits('1'), changes.isEmpty]).toEqual([undefined, true, false])
    changes.done('1')
    expect(changes.take(any)).toEqual({ id: '1', heard: { first: '6-0', newest: '6-0' } })
    changes.done('1')
    expect(changes.isEmpty).toBe(true)
  })

  test('Changes puts a job that failed behind the others, with all that was heard of it', () => {
    const changes = new Changes(10)
    changes.add('1', { first: '5-0', newest: '5-0', name: 'Export' })
    changes.add('2', {})
    changes.take(any)
    changes.add('1', { first: '9-0', newest: '9-0', end: { state: 'completed' } })
    changes.again('1')
    expect(changes.take(any)?.id).toBe('2')
    expect(changes.take(any)?.heard).toMatchObject({
      first: '5-0',
      newest: '9-0',
      name: 'Export',
      end: { state: 'completed' },
    })
  })

  test('Changes knows the first stream entry that is not done, by number and not by text', () => {
    const changes = new Changes(10)
    changes.add('1', { first: '100-10', newest: '100-10' })
    changes.add('2', { first: '100-9', newest: '100-9' })
    changes.add('3', { first: '99-11', newest: '99-11' })
    expect(changes.first).toBe('99-11')
    changes.take((id) => id === '3')
    expect(changes.first).toBe('99-11')
    changes.done('3')
    expect(changes.first).toBe('100-9')
  })

  test('Changes is full at its bound, however often the same jobs change', () => {
    const changes = new Changes(2)
    for (let n = 0; n < 10; n++) changes.add('1', {})
    expect(changes.isFull).toBe(false)
    changes.add('2', {})
    expect(changes.isFull).toBe(true)
    changes.take(any)
    expect(changes.isFull).toBe(false)
  })
})

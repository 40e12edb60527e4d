import { useEffect, useState } from 'preact/hooks'

/** What stands behind the `#`, in its parts: `runs`, and the run. */
export function usePath(): readonly string[] {
  const read = () => location.hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent)
  const [path, setPath] = useState(read)
  useEffect(() => {
    const listener = () => {
      setPath(read())
      scrollTo(0, 0)
      document.querySelector<HTMLElement>('main')?.focus({ preventScroll: true })
    }
    addEventListener('hashchange', listener)
    return () => removeEventListener('hashchange', listener)
  }, [])
  return path
}

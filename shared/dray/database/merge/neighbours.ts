/** Whether places (some of `all`, which ascend) are a piece of it, so that the first and the last name them. */
export function areNeighbours(places: readonly number[], all: readonly number[]): boolean {
  const [first = 0, last = 0] = [places[0], places.at(-1)]
  return indexOf(last, all) - indexOf(first, all) === places.length - 1
}

function indexOf(place: number, all: readonly number[]): number {
  let [low, high] = [0, all.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((all[middle] as number) < place) low = middle + 1
    else high = middle
  }
  return low
}

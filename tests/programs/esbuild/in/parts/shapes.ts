export interface Point { x: number; y: number }

export abstract class Shape {
    abstract get corners(): Point[];
}

export function area(shape: Shape): number {
    const [{ x: left, y: top }, { x: right, y: bottom }] = shape.corners as [Point, Point];
    return (right - left) * (bottom - top);
}

export function unused(): never {
    throw new Error("a bundler leaves this out");
}

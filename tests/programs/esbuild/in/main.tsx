import { area, Shape, type Point } from "./parts/shapes";
import settings from "./parts/settings.json";
import "./parts/style.css";

enum Level { Low = 1, High = Low << 4 }

declare const React: { createElement(...parts: unknown[]): unknown };

namespace Names {
    export const greet = (name?: string) => `Hello ${name ?? settings.name}!`;
}

export async function* view(points: readonly Point[]): AsyncGenerator<unknown> {
    for await (const { x, y, ...rest } of points) yield <li key={x ** 2} {...rest}>{Names.greet()} {y satisfies number}</li>;
}

@registered
export class Square extends Shape {
    static #count = 0;
    constructor(readonly side: number, public level: Level = Level.High) {
        super();
        Square.#count ||= settings.first;
    }
    override get corners(): Point[] { return [{ x: 0, y: 0 }, { x: this.side, y: this.side }]; }
}

function registered<T>(target: T, _context: unknown): T { return target; }

console.log(area(new Square(3)), Names.greet("you"));

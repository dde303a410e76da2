// A small stack machine: push a byte, or replace the two uppermost bytes by their sum, difference or exclusive or.
module stack #(parameter DEPTH = 8) (
    input clk, input reset, input [1:0] op, input push, input [7:0] data,
    output [7:0] top, output reg full
);
    localparam ADD = 0, SUB = 1, XOR = 2, DROP = 3;
    reg [7:0] items [0:DEPTH-1];
    reg [$clog2(DEPTH):0] height;
    wire [7:0] a = items[height - 1], b = items[height - 2];
    assign top = a;
    always @(posedge clk) begin
        full <= height == DEPTH - 1;
        if (reset) height <= 0;
        else if (push && !full) begin
            items[height] <= data;
            height <= height + 1;
        end else if (height > 1) begin
            height <= height - 1;
            case (op)
                ADD: items[height - 2] <= a + b;
                SUB: items[height - 2] <= b - a;
                XOR: items[height - 2] <= a ^ b;
                DROP: ;
            endcase
        end
    end
endmodule

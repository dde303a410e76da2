#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct node { long long key; struct node *left, *right; };

static struct node *insert(struct node *node, long long key)
{
    if (!node) {
        node = calloc(1, sizeof *node);
        node->key = key;
    } else if (key < node->key)
        node->left = insert(node->left, key);
    else
        node->right = insert(node->right, key);
    return node;
}

static int depth(const struct node *node)
{
    if (!node)
        return 0;
    int left = depth(node->left), right = depth(node->right);
    return 1 + (left > right ? left : right);
}

static void print(const struct node *node, int *left)
{
    if (node && *left > 0) {
        print(node->left, left);
        if ((*left)-- > 0)
            printf("%lld ", node->key);
        print(node->right, left);
    }
}

int main(int argc, char **argv)
{
    struct node *root = 0;
    unsigned long long state = 88172645463325252ull;
    double sum = 0;
    int left = 5;
    for (int i = 0; i < 1000; i++) {
        state ^= state << 13; state ^= state >> 7; state ^= state << 17;
        root = insert(root, state % 100000);
        sum += (double)(state % 1000) / 7;
    }
    print(root, &left);
    printf("%d %.6f %s\n", depth(root), sum, argc > 1 ? strrchr(argv[1], '/') : "-");
    switch (depth(root) % 3) { case 0: return 10; case 1: return 11; default: return 12; }
}

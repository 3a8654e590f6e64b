/// The Python that goes with a model some of whose layers are linear maps: a subclass of its own class in `transformers`,
/// 4.45 and later, with the maps in their places.
enum LinearModelCode {
    static let moduleName = "modeling_straightedge"
    static let className = "StraightedgeForCausalLM"

    /// - Parameter modelType: `model_type` of config.json, by which `transformers` finds the class.
    static func text(modelType: String) -> String {
        let type = String(
            modelType.unicodeScalars.filter { $0 == "_" || $0.properties.isAlphabetic || ("0"..."9") ~= $0 })
        return template.replacingFirst("MODEL_TYPE", with: type)
    }

    private static let template = #"""
        """A language model some of whose layers, or sublayers, are linear maps: y = x + linear(x).

        Written by Straightedge beside the weights; "straightedge" in config.json says which layers have maps. Load it with
        AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True).
        """

        import ast
        import inspect
        import textwrap

        import transformers
        from torch import nn
        from transformers.cache_utils import Cache
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

        Base = getattr(transformers, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES["MODEL_TYPE"])


        def nodes(function, kind):
            source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
            return [node for node in ast.walk(ast.parse(source)) if isinstance(node, kind)]


        def returns_tuple(forward):
            """Whether layers of this class return a tuple, which versions of transformers differ in."""
            returned = nodes(forward, ast.Return)[-1].value
            values = [node.value for node in nodes(forward, ast.Assign)
                      if isinstance(returned, ast.Name) and returned.id in [getattr(t, "id", None) for t in node.targets]]
            return any(isinstance(getattr(value, "left", value), ast.Tuple) for value in [returned, *values])


        def attention_result_count(forward):
            """How many values a layer takes from its attention."""
            calls = [node for node in nodes(forward, ast.Assign) if isinstance(node.value, ast.Call)
                     and getattr(node.value.func, "attr", "") == "self_attn"]
            return len(calls[0].targets[0].elts)


        def occupy(index, hidden_states, arguments):
            """Has the cache of keys and values count the tokens of a layer that has none; gives the cache."""
            cache = next((value for value in arguments if isinstance(value, Cache)), None)
            if cache is not None:
                nothing = hidden_states.new_zeros(hidden_states.shape[0], 1, hidden_states.shape[1], 1)
                cache.update(nothing, nothing, index)
            return cache


        class Sublayer(nn.Module):
            """Gives, in the place of a sublayer, what the map adds that the layer holds."""

            def __init__(self, linear, index=None, result_count=1):
                super().__init__()
                self.__dict__["linear"] = linear  # not a submodule: the layer's own name is the one in the file
                self.index, self.result_count = index, result_count

            def forward(self, hidden_states, *args, **kwargs):
                if self.index is not None:
                    occupy(self.index, hidden_states, [*args, *kwargs.values()])
                output = self.linear(hidden_states)
                return output if self.result_count == 1 else (output,) + (None,) * (self.result_count - 1)


        def linear_layer(layer, index, width):
            """A map in the place of a layer, of the layer's class: by it transformers knows what the layers are."""

            class LinearLayer(type(layer)):
                def __init__(self):
                    nn.Module.__init__(self)
                    plain = {key: value for key, value in vars(layer).items() if isinstance(value, (str, int, float))}
                    self.__dict__.update(plain)
                    self.linear = nn.Linear(width, width)

                def forward(self, hidden_states, *args, **kwargs):
                    cache = occupy(index, hidden_states, [*args, *kwargs.values()])
                    output = hidden_states + self.linear(hidden_states)
                    weights = (None,) if kwargs.get("output_attentions") else ()
                    return (output, *weights, cache) if returns_tuple(type(layer).forward) else output

            return LinearLayer()


        def replace_sublayers(layer, index, sites, width):
            if "attention" in sites:
                layer.linear_attention, layer.input_layernorm = nn.Linear(width, width), nn.Identity()
                layer.self_attn = Sublayer(layer.linear_attention, index, attention_result_count(type(layer).forward))
            if "mlp" in sites:
                layer.linear_mlp, layer.post_attention_layernorm = nn.Linear(width, width), nn.Identity()
                layer.mlp = Sublayer(layer.linear_mlp)


        class StraightedgeForCausalLM(Base):
            def __init__(self, config):
                super().__init__(config)
                count, width = config.num_hidden_layers, config.hidden_size
                layers = next(m for m in self.modules() if isinstance(m, nn.ModuleList) and len(m) == count)
                for key, sites in config.straightedge["linear"].items():
                    index = int(key)
                    if "layer" in sites:
                        layers[index] = linear_layer(layers[index], index, width)
                    else:
                        replace_sublayers(layers[index], index, sites, width)

        """#
}

extension String {
    /// The text with the first occurrence of a word replaced.
    fileprivate func replacingFirst(_ word: String, with other: String) -> String {
        guard let range = firstRange(of: word) else { return self }
        return self[..<range.lowerBound] + other + self[range.upperBound...]
    }
}

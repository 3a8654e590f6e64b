/// The Python that goes with a model some of whose layers are linear maps: a subclass of its own class in `transformers`,
/// 4.57 and later, with the maps in their places.
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
        """A language model of which some layers, or sublayers, are linear maps: y = x + linear(x).

        Written by Straightedge; "straightedge" in config.json says which layers have maps. Load it with
        AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True), transformers 4.57 or later.
        """
        import ast
        import contextlib
        import inspect
        import textwrap

        import transformers
        from torch import nn
        from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

        Base = getattr(transformers, MODEL_FOR_CAUSAL_LM_MAPPING_NAMES["MODEL_TYPE"])


        def nodes(layer, kind):
            """Parts of the code of a layer's class: versions of transformers differ in what layers return."""
            source = inspect.getsource(inspect.unwrap(type(layer).forward))
            return [node for node in ast.walk(ast.parse(textwrap.dedent(source))) if isinstance(node, kind)]


        def occupy(index, states, arguments):
            """Has the cache of keys and values, if there is one, count the tokens of a layer that has no keys."""
            cache = next((value for value in arguments if isinstance(value, transformers.Cache)), None)
            if cache is not None:
                nothing = states.new_zeros(states.shape[0], 1, states.shape[1], 1)
                cache.update(nothing, nothing, index)
            return cache


        class Sublayer(nn.Module):
            """Gives, in the place of a sublayer, what the map adds that the layer holds."""
            def __init__(self, linear, index=None, result_count=1):
                super().__init__()
                self.__dict__["linear"] = linear  # no submodule: the file has it under the layer's own name
                self.index, self.result_count = index, result_count

            def forward(self, hidden_states, *args, **kwargs):
                output = self.linear(hidden_states)
                if self.index is None:
                    return output
                return (output, None, occupy(self.index, output, [*args, *kwargs.values()]))[: self.result_count]


        def linear_layer(layer, index, width):
            returned = nodes(layer, ast.Return)[-1].value
            name = ast.unparse(returned)
            values = [returned] + [n.value for n in nodes(layer, ast.Assign) if ast.unparse(n.targets[0]) == name]
            gives_tuple = any(isinstance(getattr(value, "left", value), ast.Tuple) for value in values)

            class LinearLayer(type(layer)):  # by the class transformers knows the layers
                def __init__(self):
                    nn.Module.__init__(self)
                    self.__dict__.update({k: v for k, v in vars(layer).items() if isinstance(v, (str, int, float))})
                    self.linear = nn.Linear(width, width)

                def forward(self, hidden_states, *args, **kwargs):
                    cache = occupy(index, hidden_states, [*args, *kwargs.values()])
                    output = hidden_states + self.linear(hidden_states)
                    weights = (None,) if kwargs.get("output_attentions") else ()
                    return (output, *weights, cache) if gives_tuple else output

            return LinearLayer()


        def replace_sublayers(layer, index, sites, width):
            calls = [node for node in nodes(layer, ast.Assign) if "self_attn" in ast.unparse(node.value)]
            if "attention" in sites:
                layer.linear_attention, layer.input_layernorm = nn.Linear(width, width), nn.Identity()
                layer.self_attn = Sublayer(layer.linear_attention, index, len(calls[0].targets[0].elts))
            if "mlp" in sites:
                layer.linear_mlp, layer.post_attention_layernorm = nn.Linear(width, width), nn.Identity()
                layer.mlp = Sublayer(layer.linear_mlp)


        class StraightedgeForCausalLM(Base):
            def __init__(self, config):
                super().__init__(config)
                with contextlib.suppress(ImportError):  # transformers 5 reads names of old files by the class's name
                    from transformers import conversion_mapping as names
                    known = [names.get_checkpoint_conversion_mapping(n) for n in (Base.__name__, config.model_type)]
                    names.register_checkpoint_conversion_mapping(type(self).__name__, known[0] or known[1] or [], True)
                count, width = config.num_hidden_layers, config.hidden_size
                layers = next(m for m in self.modules() if isinstance(m, nn.ModuleList) and len(m) == count)
                for key, sites in getattr(config, "straightedge", {"linear": {}})["linear"].items():
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
